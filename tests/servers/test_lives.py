"""Lives of servers: started once by who needs them, stopped when idle, left alone after failures, never left over."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from waiting import eventually

from daemon.base.tasks import TaskSet
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers.lives import pauses
from daemon.tools.servers.lives.pauses import Pauses
from daemon.tools.servers.lives.pool import Pool
from daemon.tools.servers.lives.states import State
from daemon.tools.servers.upstream.seam import Era, Hello, Trouble, UpstreamError
from daemon.tools.servers.values import Mode, Scope, ServerConfig

LOCAL = ServerConfig(name="files", command=("files",))


class Handed:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now


class Small:
    """A server in this process: what the room sees of one, with nothing behind it."""

    name = "files"
    hello = Hello(era=Era.MODERN, version="2026-07-28", server={}, capabilities={})

    def __init__(self, config: ServerConfig, session: str) -> None:
        self.config, self.session = config, session
        self.is_open = True
        self.ended = asyncio.Event()
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.closed = 0

    @property
    def executor(self) -> Any:
        return self

    async def over(self) -> None:
        await self.ended.wait()

    async def why(self) -> str:
        return "It ended with status 3."

    async def close(self) -> None:
        self.is_open = False
        await self.may_close.wait()
        self.closed += 1

    def die(self) -> None:
        self.is_open = False
        self.ended.set()


class Starting:
    """Starts such servers, as slowly and as badly as it is told."""

    def __init__(self) -> None:
        self.started: list[Small] = []
        self.begun = 0
        self.called_off = 0
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.problem: UpstreamError | Failure | None = None

    async def open(self, config: ServerConfig, session: str) -> Small:
        self.begun += 1
        try:
            await self.may_start.wait()
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        if self.problem is not None:
            raise self.problem
        self.started.append(Small(config, session))
        return self.started[-1]


class Configured:
    """What is configured now."""

    def __init__(self, *servers: ServerConfig) -> None:
        self.servers = {server.name: server for server in servers}

    def all(self) -> Mapping[str, ServerConfig]:
        return self.servers

    async def changes(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


class Room:
    """A pool over such servers."""

    def __init__(self) -> None:
        self.clock, self.tasks, self.starting = Handed(), TaskSet(), Starting()
        self.made: list[Pool] = []
        self.pool = self.other()

    def other(self, **options: Any) -> Pool:
        self.made.append(Pool(self.starting.open, self.clock, self.tasks, **options))
        return self.made[-1]

    async def call(self, server: ServerConfig = LOCAL, session: str = "s", pool: Pool | None = None) -> Any:
        async with (pool or self.pool).lent(server, session) as executor:
            return executor

    async def refused(self, server: ServerConfig = LOCAL, session: str = "s", pool: Pool | None = None) -> Failure:
        with pytest.raises(Failure) as refused:
            await self.call(server, session, pool)
        return refused.value

    def begin(self, server: ServerConfig = LOCAL, session: str = "s") -> "asyncio.Task[Any]":
        return self.tasks.start(_kept(self.call(server, session)), name="call")

    def hold(self, until: asyncio.Event, server: ServerConfig = LOCAL, session: str = "s") -> "asyncio.Task[Any]":
        async def held() -> Any:
            async with self.pool.lent(server, session) as executor:
                await until.wait()
                return executor

        return self.tasks.start(_kept(held()), name="long call")


async def _kept(call: Any) -> Any:
    try:
        return await call
    except UpstreamError as problem:
        return problem


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    for server in room.starting.started:
        server.may_close.set()
    for pool in room.made:
        await pool.close()
    await room.tasks.close()
    assert all(server.closed == 1 for server in room.starting.started), "each is closed, and once"


def is_ready(room: Room) -> Callable[[], bool]:
    return lambda: room.pool.state(LOCAL).state is State.READY


async def test_five_hundred_first_calls_at_once_start_one_server(room: Room) -> None:
    room.starting.may_start.clear()
    calls = [room.begin(session=f"s{number}") for number in range(500)]
    await eventually(lambda: room.starting.begun == 1)
    assert room.pool.state(LOCAL).state is State.STARTING
    room.starting.may_start.set()
    assert set(await asyncio.gather(*calls)) == {room.starting.started[0]}
    assert room.starting.begun == 1
    assert room.pool.state(LOCAL).state is State.READY
    assert room.pool.state(LOCAL).hello == Small.hello


async def test_a_failed_start_is_the_failure_of_all_who_waited_and_of_the_calls_in_its_pause(room: Room) -> None:
    room.starting.problem = UpstreamError(Trouble.NOT_STARTED, "it has no licence")
    problems = await asyncio.gather(*(room.begin() for _ in range(3)))
    assert [each.message for each in problems] == ["it has no licence"] * 3
    assert len(set(map(id, problems))) == 3
    assert room.starting.begun == 1
    refused = await room.refused()
    assert "it has no licence" in refused.message
    assert "in 1 s or later" in refused.message
    assert refused.details["retry_after_seconds"] == 1
    state = room.pool.state(LOCAL)
    assert (state.state, state.again_in_seconds) == (State.FAILED, 1.0)
    assert state.last_error is not None
    room.starting.problem = None
    room.clock.now += 1
    assert await room.call() is room.starting.started[0]


def test_pauses_grow_to_sixteen_seconds_and_five_stable_minutes_forgive_them() -> None:
    paused, now = Pauses(), 0.0
    found = []
    for _ in range(6):
        paused.ready(now)
        paused.failed(now + pauses.STABLE_SECONDS - 1)
        found.append(paused.left(now + pauses.STABLE_SECONDS - 1))
        now += 1000
    assert found == [1, 2, 4, 8, 16, 16]
    paused.ready(now)
    paused.failed(now + pauses.STABLE_SECONDS)
    assert paused.left(now + pauses.STABLE_SECONDS) == 1


def test_stable_minutes_add_up_over_times_in_which_nobody_needed_it_and_begin_anew_with_a_failure() -> None:
    paused, now = Pauses(), 0.0

    def runs(seconds: float) -> None:
        nonlocal now
        paused.ready(now)
        now += seconds

    def fails() -> float:
        paused.failed(now)
        return paused.left(now)

    assert (fails(), fails()) == (1, 2)
    for _ in range(5):
        runs(60)
        paused.stopped(now)
        now += 10_000  # it does not run, which proves nothing
    assert fails() == 1
    runs(299)
    assert fails() == 2
    runs(1)
    assert fails() == 4


async def test_a_locked_vault_and_a_missing_login_bring_no_pause(room: Room) -> None:
    locked = Failure(FailureClass.VAULT_LOCKED, "The vault is locked", boundary=Boundary.USER)
    for problem in (locked, UpstreamError(Trouble.UNAUTHORISED, "a login is needed")):
        room.starting.problem = problem
        with pytest.raises(type(problem)):
            await room.call()
    room.starting.problem = None
    await room.call()


async def test_a_start_that_nobody_waits_for_any_more_is_called_off(room: Room) -> None:
    room.starting.may_start.clear()
    one, other = room.begin(), room.begin()
    await eventually(lambda: room.starting.begun == 1)
    one.cancel()
    await asyncio.wait([one])
    assert room.starting.called_off == 0, "somebody still waits"
    other.cancel()
    late = room.begin()
    await asyncio.wait([other])
    await eventually(lambda: room.starting.called_off == 1 and room.starting.begun == 2)
    room.starting.may_start.set()
    assert await late is room.starting.started[0]
    assert len(room.starting.started) == 1


async def test_a_call_that_is_called_off_at_any_moment_of_a_start_leaves_nothing_behind(room: Room) -> None:
    brief = replace(LOCAL, idle_seconds=0.0)
    for moments in range(1, 8):
        call = room.begin(brief)
        for _ in range(moments):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        await eventually(lambda: room.pool.state(brief).state is State.STOPPED)
    assert all(server.closed == 1 for server in room.starting.started)
    await room.call(brief)


async def test_an_idle_server_is_stopped_and_never_in_the_middle_of_a_call(room: Room) -> None:
    brief = replace(LOCAL, idle_seconds=0.02)
    done = asyncio.Event()
    call = room.hold(done, brief)
    await eventually(lambda: bool(room.starting.started))
    await room.call(brief)
    await asyncio.sleep(0.1)
    assert room.pool.state(brief).calls == 1
    assert room.starting.started[0].closed == 0
    done.set()
    await call
    await eventually(lambda: room.pool.state(brief).state is State.STOPPED)
    assert room.starting.started[0].closed == 1
    assert room.pool.state(brief).last_error is None
    await room.call(brief)
    assert room.starting.begun == 2


async def test_a_server_that_is_needed_again_and_again_is_idle_from_its_last_call_on(room: Room) -> None:
    brief = replace(LOCAL, idle_seconds=0.2)
    loop = asyncio.get_running_loop()
    began = last = loop.time()
    while loop.time() < began + 0.5:
        before, pause = room.starting.begun, loop.time() - last
        await room.call(brief)
        assert not before or room.starting.begun == before or pause > 0.15, "it was stopped too early"
        last = loop.time()
        await asyncio.sleep(0.01)
    await eventually(lambda: room.pool.state(brief).state is State.STOPPED)
    assert loop.time() - last > 0.15


async def test_one_process_at_a_time_a_call_waits_for_the_end_of_the_former_one(room: Room) -> None:
    brief = replace(LOCAL, idle_seconds=0.0)
    first = await room.call(brief)
    first.may_close.clear()
    await eventually(lambda: room.pool.state(brief).state is State.STOPPING)
    late = room.begin(brief)
    await asyncio.sleep(0.02)
    assert room.starting.begun == 1
    first.may_close.set()
    assert await late is room.starting.started[1]


async def test_a_server_that_ended_unexpectedly_is_left_alone_and_says_why(room: Room) -> None:
    first = await room.call()
    first.die()
    await eventually(lambda: room.pool.state(LOCAL).state is State.FAILED)
    await eventually(lambda: "status 3" in str(room.pool.state(LOCAL).last_error))
    assert "status 3" in (await room.refused()).message
    room.clock.now += 1
    await room.call()
    room.starting.started[1].is_open = False  # seen by the next call, before anything else
    assert "in 2 s or later" in (await room.refused()).message


async def test_a_server_that_failed_is_not_started_again_before_all_of_it_has_ended(room: Room) -> None:
    first = await room.call()
    first.may_close.clear()
    first.die()
    await eventually(lambda: room.pool.state(LOCAL).state is State.FAILED)
    room.clock.now += 1
    late = room.begin()
    await asyncio.sleep(0.02)
    assert room.starting.begun == 1
    first.may_close.set()
    assert await late is room.starting.started[1]


async def test_an_upstream_session_that_expired_is_replaced_at_once(room: Room) -> None:
    remote = ServerConfig(name="files", mode=Mode.REMOTE, url="https://files.example/mcp")
    first = await room.call(remote)
    first.is_open = False
    second = await room.call(remote)
    assert second is not first
    assert room.pool.state(remote).last_error is None


async def test_each_session_has_its_own_server_which_ends_with_it(room: Room) -> None:
    own = replace(LOCAL, scope=Scope.SESSION)
    first, second = await room.call(own, "one"), await room.call(own, "two")
    assert first is not second
    assert await room.call(own, "one") is first
    assert room.pool.state(own).running == 2
    room.starting.may_start.clear()
    other = replace(own, name="other")
    waits = room.begin(other, "one")
    await eventually(lambda: room.starting.begun == 3)
    room.pool.session_ended("one")
    await eventually(lambda: first.closed == 1)
    with pytest.raises(Failure, match="session has ended"):
        await waits
    assert second.closed == 0
    assert room.starting.begun == 3, "a call of the ended session starts nothing"


async def test_a_session_that_has_many_servers_takes_none_from_another(room: Room) -> None:
    pool = room.other(most_of_a_session=2, most_of_all_sessions=3)
    own = [replace(LOCAL, name=f"own{number}", scope=Scope.SESSION) for number in range(3)]
    async with pool.lent(own[0], "one"), pool.lent(own[1], "one"):
        refused = await room.refused(own[2], "one", pool)
        assert refused.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
        await room.call(own[0], "two", pool)
    await room.call(own[2], "one", pool)
    assert pool.state(own[0]).running == 1, "its own idle one was stopped, and not the other session's"
    assert await room.call(own[0], "two", pool) in room.starting.started[:3]


async def test_a_changed_configuration_holds_for_the_next_call_and_the_former_server_ends_after_its_calls(
    room: Room,
) -> None:
    configured = Configured(LOCAL)
    room.pool = room.other(configured=configured)
    done = asyncio.Event()
    call = room.hold(done)
    await eventually(is_ready(room))
    slower = configured.servers["files"] = replace(LOCAL, call_seconds=5.0)
    room.pool.follow_configuration()
    assert await room.call(LOCAL) is room.starting.started[1], "checked for the former one, which is the same program"
    assert room.starting.started[1].config is slower
    assert room.starting.started[0].closed == 0
    done.set()
    assert await call is room.starting.started[0]
    await eventually(lambda: room.starting.started[0].closed == 1)
    configured.servers["files"] = replace(LOCAL, command=("other",))
    assert (await room.refused()).failure_class is FailureClass.HASH_MISMATCH


async def test_a_server_that_is_disabled_or_removed_ends_and_is_not_lent(room: Room) -> None:
    configured = Configured(LOCAL)
    room.pool = room.other(configured=configured)
    await room.call()
    off = configured.servers["files"] = replace(LOCAL, enabled=False)
    room.pool.follow_configuration()
    await eventually(lambda: room.starting.started[0].closed == 1)
    assert "aileron server enable files" in (await room.refused()).message
    assert room.pool.state(off).state is State.DISABLED
    configured.servers.clear()
    assert (await room.refused()).failure_class is FailureClass.NOT_FOUND


async def test_a_stop_ends_what_runs_and_what_starts_and_a_restart_forgives(room: Room) -> None:
    done = asyncio.Event()
    call = room.hold(done)
    await eventually(is_ready(room))
    await room.pool.stop("files")
    assert room.starting.started[0].closed == 1
    done.set()
    await call
    room.starting.may_start.clear()
    waits = room.begin()
    await eventually(lambda: room.starting.begun == 2)
    stopping = room.tasks.start(room.pool.stop("files"), name="stop")
    await eventually(lambda: room.starting.called_off == 1)
    room.starting.may_start.set()
    assert await waits is room.starting.started[1], "a call that waits needs it still"
    await room.pool.stop("files")
    await stopping
    room.starting.problem = UpstreamError(Trouble.NOT_STARTED, "no")
    with pytest.raises(UpstreamError):
        await room.call()
    room.starting.problem = None
    await room.pool.restart(LOCAL)
    await room.call()


async def test_nothing_runs_and_nothing_is_lent_after_the_end(room: Room) -> None:
    done = asyncio.Event()
    call = room.hold(done)
    await eventually(is_ready(room))
    await room.pool.close()
    assert room.starting.started[0].closed == 1
    assert "stopping" in (await room.refused()).message
    done.set()
    await call


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_there_is_one_server_at_a_time_and_each_is_closed_once(room: Room, seed: int) -> None:
    chance = random.Random(seed)
    configured = Configured(replace(LOCAL, idle_seconds=0.002))
    room.pool = room.other(configured=configured)
    done, calls = asyncio.Event(), []

    def lent_now() -> list[Small]:
        return [each for each in room.starting.started if each.is_open]

    def edit() -> None:
        configured.servers["files"] = replace(configured.servers["files"], call_seconds=chance.random())
        room.pool.follow_configuration()

    acts: list[Callable[[], object]] = [
        lambda: calls.append(room.begin()),
        lambda: calls.append(room.hold(done)),
        lambda: chance.choice(calls).cancel() if calls else None,
        lambda: lent_now()[-1].die() if lent_now() else None,
        lambda: room.tasks.start(room.pool.stop("files"), name="stop"),
        lambda: setattr(room.clock, "now", room.clock.now + 20),
        room.starting.may_start.clear,
        room.starting.may_start.set,
        edit,
        done.set,
        done.clear,
    ]
    replaced = 0
    for _ in range(60):
        act = chance.choice(acts)
        replaced += act is edit
        act()
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))
        assert len(lent_now()) <= 1 + replaced
    done.set()
    room.starting.may_start.set()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls or [asyncio.ensure_future(asyncio.sleep(0))])
    await room.pool.close()
    assert all(server.closed == 1 for server in room.starting.started)
