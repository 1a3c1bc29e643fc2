"""Who computes when: bounds and turns by session, for guests of any behaviour, on real threads."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import eventually
from wasm.real_clock import RealClock

from daemon.connectors.wasm.call_time import CallTime
from daemon.connectors.wasm.engine import Ticker
from daemon.connectors.wasm.errors import ConnectorBusy, ConnectorTimeout
from daemon.connectors.wasm.guest_call import GuestCall, HostServices
from daemon.connectors.wasm.limits import CallLimits
from daemon.connectors.wasm.pace import PROVEN, QUICK_SECONDS, Paces
from daemon.connectors.wasm.scheduler import Scheduler
from daemon.connectors.wasm.workers import Workers
from daemon.core.fairness import Rank
from daemon.core.turn import Turn

CLOCK = RealClock()
STARTING = [rank for rank in Rank if rank is not Rank.RESUMED]
"""The ranks with which a call may start; a guest that has its answer gets the first one from the scheduler."""


@dataclass
class Stage:
    """A scheduler, and guests that are plain functions: they compute, or ask their host and wait."""

    scheduler: Scheduler
    services: HostServices
    lock: threading.Lock = field(default_factory=threading.Lock)
    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    most_together: int = 0
    begun: list[Any] = field(default_factory=list)

    def call(self, body: Callable[[GuestCall], Any], *, seconds: float = 10.0, **turn: Any) -> GuestCall:
        return GuestCall(
            body=body,
            services=self.services,
            limits=CallLimits(seconds=seconds),
            manifest="{}",
            loop=asyncio.get_running_loop(),
            turn=Turn(**turn),
            time=CallTime(CLOCK, seconds),
        )

    async def run(self, call: GuestCall, answer: Callable[[], Any] | None = None) -> Any:
        """Converse as the runtime does; the answer to each request is what the caller waits for."""
        try:
            self.scheduler.start(call)
            while await call.next_request() is not None:
                if answer is not None:
                    await answer()
                self.scheduler.resume(call, (True, ""))
        except BaseException:
            self.scheduler.abandon(call)
            raise
        if call.failure is not None:
            raise call.failure
        return call.result

    @contextmanager
    def computing(self, session: str) -> Iterator[None]:
        with self.lock:
            self.now[session] += 1
            self.most[session] = max(self.most[session], self.now[session])
            self.most_together = max(self.most_together, self.now.total())
        yield
        with self.lock:
            self.now[session] -= 1

    def guest(self, session: str, requests: int) -> Callable[[GuestCall], str]:
        def body(call: GuestCall) -> str:
            for _ in range(requests):
                with self.computing(session):
                    time.sleep(0)
                call.http("{}")
            with self.computing(session):
                return session

        return body


@contextmanager
def stage(*, active: int, threads: int = 64) -> Iterator[Stage]:
    ticker = Ticker(wasmtime.Engine())
    scheduler = Scheduler(active=active, workers=Workers(most=threads), ticker=ticker)
    try:
        yield Stage(scheduler, HostServices(clock=CLOCK, entropy=lambda count: b"0" * count, ticker=ticker))
    finally:
        scheduler.close()
        ticker.close()


def until(event: threading.Event) -> Callable[[GuestCall], bool]:
    """Return a guest that computes until it is let go."""
    return lambda _call: event.wait(30)


@settings(max_examples=40, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(STARTING), st.booleans()), max_size=30
    ),
    active=st.integers(1, 6),
    threads=st.integers(2, 12),
)
def test_no_call_is_lost_no_place_leaks_and_every_bound_holds(
    calls: list[tuple[str, int, Rank, bool]], active: int, threads: int
) -> None:
    """Calls of three sessions with any number of requests; some are cancelled while they run or wait."""

    async def play(here: Stage) -> None:
        tasks = []
        for session, requests, rank, cancelled in calls:
            call = here.call(here.guest(session, requests), session=session, rank=rank)
            task = asyncio.ensure_future(here.run(call, lambda: asyncio.sleep(0)))
            tasks.append((task, session, cancelled))
        await asyncio.sleep(0)
        for task, _, cancelled in tasks:
            if cancelled:
                task.cancel()
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*(task for task, _, _ in tasks), return_exceptions=True)
        for outcome, (_, session, cancelled) in zip(outcomes, tasks, strict=True):
            assert outcome == session or (cancelled and isinstance(outcome, asyncio.CancelledError))
        await eventually(lambda: here.scheduler.live == 0)
        assert here.scheduler.computing == 0
        assert here.scheduler._threads.used == 0
        assert here.scheduler._queue.size == 0

    with stage(active=active, threads=threads) as here:
        asyncio.run(play(here))
        if not any(cancelled for *_, cancelled in calls):  # one that is cancelled unwinds beyond the bound
            assert here.most_together <= active
            assert all(most <= max(1, active // 2) for most in here.most.values())


async def test_a_session_that_computes_without_end_leaves_places_for_another() -> None:
    let_go = threading.Event()
    with stage(active=4) as here:
        spinning = [asyncio.ensure_future(here.run(here.call(until(let_go), session="a"))) for _ in range(200)]
        await eventually(lambda: here.scheduler.computing == 1)
        for _ in range(20):
            assert await here.run(here.call(here.guest("b", 2), session="b")) == "b"
        assert here.scheduler.computing == 1
        let_go.set()
        assert all(await asyncio.gather(*spinning))


async def test_a_session_gets_its_whole_share_once_its_guests_have_been_quick_and_loses_it_when_one_is_not() -> None:
    let_go = threading.Event()
    with stage(active=8) as here:
        quick = [here.run(here.call(here.guest("a", 2), session="a")) for _ in range(PROVEN)]
        waits = asyncio.Event()
        kept = asyncio.ensure_future(here.run(here.call(here.guest("a", 1), session="a"), waits.wait))
        await asyncio.gather(*quick)
        together = threading.Barrier(4, timeout=30)
        four = [here.run(here.call(lambda _: together.wait() >= 0, session="a")) for _ in range(4)]
        assert await asyncio.gather(*four) == [True] * 4
        spinning = [asyncio.ensure_future(here.run(here.call(until(let_go), session="a"))) for _ in range(4)]
        await eventually(lambda: here.scheduler.computing == 4)
        await asyncio.sleep(2 * QUICK_SECONDS)
        let_go.set()
        assert all(await asyncio.gather(*spinning))
        let_go.clear()
        spinning = [asyncio.ensure_future(here.run(here.call(until(let_go), session="a"))) for _ in range(4)]
        await eventually(lambda: here.scheduler.computing == 2)
        await asyncio.sleep(2 * QUICK_SECONDS)
        assert here.scheduler.computing == 2
        let_go.set()
        assert all(await asyncio.gather(*spinning))
        waits.set()
        assert await kept == "a"


def test_a_session_is_quick_after_a_number_of_short_stretches_and_not_while_one_is_long() -> None:
    now = 0.0
    paces = Paces(lambda: now)
    for _ in range(PROVEN):
        assert not paces.is_quick("a")
        paces.begins("a", "guest")
        now += QUICK_SECONDS / 2
        paces.ends("a", "guest")
    assert paces.is_quick("a")
    assert not paces.is_quick("b")
    paces.begins("a", "guest")
    now += QUICK_SECONDS * 2
    assert not paces.is_quick("a")
    paces.ends("a", "guest")
    assert not paces.is_quick("a")
    paces.forget("a")
    assert not paces.is_quick("a")


async def test_a_session_whose_calls_all_wait_for_a_service_leaves_threads_for_another() -> None:
    answered = asyncio.Event()
    with stage(active=4, threads=8) as here:
        waiting = [
            asyncio.ensure_future(here.run(here.call(here.guest("a", 1), session="a"), answered.wait))
            for _ in range(20)
        ]
        await eventually(lambda: here.most["a"] > 0 and here.scheduler._threads.held("a") == 4)
        assert await here.run(here.call(here.guest("b", 1), session="b")) == "b"
        answered.set()
        assert await asyncio.gather(*waiting) == ["a"] * 20


async def test_the_time_of_a_call_begins_when_its_guest_does() -> None:
    let_go = threading.Event()
    with stage(active=2) as here:
        spinning = asyncio.ensure_future(here.run(here.call(until(let_go), session="a")))
        await eventually(lambda: here.scheduler.computing == 1)
        queued = here.call(lambda call: call.check() or "ran", session="a", seconds=0.2)
        task = asyncio.ensure_future(here.run(queued))
        await asyncio.sleep(0.4)
        assert queued.state == "waiting"
        let_go.set()
        assert await task == "ran"
        assert await spinning


async def test_the_time_of_a_call_stands_still_while_its_guest_queues_to_go_on() -> None:
    let_go, asked = threading.Event(), asyncio.Event()

    async def answer() -> None:
        asked.set()
        await eventually(lambda: here.scheduler.computing == 1)

    with stage(active=2) as here:
        resumed = here.call(lambda call: (call.http("{}"), call.check(), "went on")[-1], session="a", seconds=0.5)
        task = asyncio.ensure_future(here.run(resumed, answer))
        await asked.wait()
        spinning = asyncio.ensure_future(here.run(here.call(until(let_go), session="a")))
        await eventually(lambda: resumed.state == "resuming")
        await asyncio.sleep(0.8)
        let_go.set()
        assert await task == "went on"
        assert await spinning


async def test_the_time_of_a_call_ends_it_all_the_same() -> None:
    def spin(call: GuestCall) -> None:
        while True:
            call.check()

    with stage(active=2) as here, pytest.raises(ConnectorTimeout):
        await here.run(here.call(spin, session="a", seconds=0.1))


async def test_a_call_that_cannot_start_in_time_says_busy_and_never_starts() -> None:
    let_go, started = threading.Event(), threading.Event()
    with stage(active=2) as here:
        spinning = asyncio.ensure_future(here.run(here.call(until(let_go), session="a")))
        await eventually(lambda: here.scheduler.computing == 1)
        with pytest.raises(ConnectorBusy, match=r"waited 0\.1 s"):
            await here.run(
                here.call(lambda _: started.set(), session="a", wait_seconds=0.1, on_start=lambda: here.begun.append(1))
            )
        let_go.set()
        assert await spinning
        assert not started.is_set()
        assert not here.begun


async def test_a_call_tells_that_it_starts_when_its_guest_has_its_place_and_not_before() -> None:
    let_go = threading.Event()
    with stage(active=2) as here:
        spinning = asyncio.ensure_future(here.run(here.call(until(let_go), session="a")))
        await eventually(lambda: here.scheduler.computing == 1)
        call = here.call(here.guest("a", 0), session="a", on_start=lambda: here.begun.append(here.scheduler.computing))
        task = asyncio.ensure_future(here.run(call))
        await asyncio.sleep(0.1)
        assert here.begun == []
        let_go.set()
        assert await task == "a"
        assert here.begun == [0]
        assert await spinning


async def test_a_start_that_is_refused_at_the_last_moment_takes_no_place_and_runs_nothing() -> None:
    ran = threading.Event()

    def refuse() -> None:
        raise PermissionError("no longer")

    with stage(active=2) as here:
        with pytest.raises(PermissionError, match="no longer"):
            await here.run(here.call(lambda _: ran.set(), session="a", on_start=refuse))
        assert await here.run(here.call(here.guest("a", 1), session="a")) == "a"
        assert here.scheduler.live == here.scheduler.computing == 0
        assert not ran.is_set()


async def test_a_run_that_has_begun_goes_before_an_approved_one_and_that_before_new_ones() -> None:
    let_go = threading.Event()
    with stage(active=2) as here:
        spinning = asyncio.ensure_future(here.run(here.call(until(let_go), session="a")))
        await eventually(lambda: here.scheduler.computing == 1)
        tasks = [
            asyncio.ensure_future(
                here.run(
                    here.call(here.guest("a", 0), session="a", rank=rank, on_start=lambda r=rank: here.begun.append(r))
                )
            )
            for rank in (Rank.NEW, Rank.NEW, Rank.APPROVED, Rank.BEGUN)
        ]
        await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(spinning, *tasks)
        assert here.begun == [Rank.BEGUN, Rank.APPROVED, Rank.NEW, Rank.NEW]
