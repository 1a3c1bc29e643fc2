"""Decides which guests compute: at most so many at once, shared by session, while any number wait for the world.

All of its state belongs to the event loop's thread. Workers reach it only through call_soon_threadsafe.

    new -> waiting -> running <-> paused (asks its host) -> resuming (has its answer) -> running
    waiting, running, paused, resuming -> done

A guest may compute until its time is up, so a place given away cannot be taken back. That is why one session never
gets all of them, even when nobody else asks (see Shares), and only half of that until its guests have been quick for
a while (see Paces).
"""

import asyncio
import contextlib
import time
from collections import deque

from daemon.connectors.wasm.engine import Ticker
from daemon.connectors.wasm.errors import ConnectorBusy, ConnectorCancelled
from daemon.connectors.wasm.guest_call import GuestCall
from daemon.connectors.wasm.pace import Paces
from daemon.connectors.wasm.workers import Workers
from daemon.core.fairness import FairQueue, Rank, Shares


class Scheduler:
    """Starts calls, pauses them while they wait, resumes them, and ends them."""

    def __init__(self, *, active: int, workers: Workers, ticker: Ticker) -> None:
        self._places = Shares(active)
        self._paces = Paces(time.monotonic)
        self._threads = Shares(workers.most)
        self._workers = workers
        self._ticker = ticker
        self._queue: FairQueue[GuestCall] = FairQueue()
        self._live: set[GuestCall] = set()
        self._ended: deque[GuestCall] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def computing(self) -> int:
        """Count the guests that compute."""
        return self._places.used

    @property
    def live(self) -> int:
        """Count the calls that have not ended."""
        return len(self._live)

    def start(self, call: GuestCall) -> None:
        """Run a call now, or when its turn comes."""
        self._loop = call.loop
        self._collect()
        if self._closed:
            raise ConnectorCancelled("The WebAssembly runtime is closed.")
        call.attach(on_paused=self._tell_paused, on_finished=self._tell_finished)
        self._live.add(call)
        call.state = "waiting"
        self._queue.put(call.turn.session, call, rank=call.turn.rank)
        self._fill()
        if call.state == "waiting" and call.turn.wait_seconds is not None:
            call.timer = call.loop.call_later(max(0.0, call.turn.wait_seconds), self._give_up, call)

    def resume(self, call: GuestCall, answer: tuple[bool, str]) -> None:
        """Give a paused guest its answer, now or when its turn comes; what it waits is not its time."""
        call.state = "resuming"
        call.pending = answer
        call.time.hold()
        self._queue.put(call.turn.session, call, rank=Rank.RESUMED)
        self._fill()

    def abandon(self, call: GuestCall, reason: ConnectorCancelled | ConnectorBusy | None = None) -> None:
        """End a call whose caller went away: at once if it waits, within a tick if it computes."""
        if call.state == "done":
            return
        call.stopped = call.stopped or reason or ConnectorCancelled("The call was cancelled.")
        if call.state == "waiting":
            self._queue.remove(call.turn.session, call)
            self._end_unstarted(call, call.stopped)
        elif call.state in {"paused", "resuming"}:
            self._queue.remove(call.turn.session, call)
            # The guest only unwinds its stack, which is quick, so it does not wait for a place.
            self._continue(call, None)

    def close(self) -> None:
        """End every call and every thread."""
        self._closed = True
        for call in tuple(self._live):
            self.abandon(call, ConnectorCancelled("The WebAssembly runtime is closing."))
            call.end_http()
        self._workers.close()

    def _fill(self) -> None:
        while self._queue.size and (turn := self._queue.take(self._may_go)) is not None:
            _, call = turn
            if call.state == "resuming":
                self._continue(call, call.pending)
            else:
                self._launch(call)

    def _may_go(self, session: str, call: GuestCall) -> bool:
        if not self._places.may_take(session):
            return False
        few = max(1, self._places.most // 2)
        if self._places.held(session) >= few and not self._paces.is_quick(session):
            return False
        return call.state == "resuming" or self._threads.may_take(session)

    def _launch(self, call: GuestCall) -> None:
        self._clear_timer(call)
        try:
            call.turn.on_start()
        except Exception as refused:  # noqa: BLE001 -- it belongs to the caller, who waits for this call
            self._end_unstarted(call, refused)
            return
        self._threads.take(call.turn.session)
        self._take_place(call)
        call.time.begin()
        call.worker = worker = self._workers.take()
        worker.do(call.run)

    def _continue(self, call: GuestCall, answer: tuple[bool, str] | None) -> None:
        self._take_place(call)
        call.pending = None
        call.time.go_on()
        call.answer(answer)

    def _paused(self, call: GuestCall, request: str) -> None:
        self._give_place_back(call)
        call.state = "paused"
        if call.stopped is not None or not call.deliver(request):
            self._continue(call, None)
        self._fill()

    def _collect(self) -> None:
        """Take note of the calls that ended; also of those whose loop had stopped before it could tell us."""
        while self._ended:
            self._finished(self._ended.popleft())

    def _finished(self, call: GuestCall) -> None:
        self._give_place_back(call)
        call.state = "done"
        self._live.discard(call)
        if call.worker is not None:
            self._threads.give_back(call.turn.session)
            if not self._threads.held(call.turn.session):
                self._paces.forget(call.turn.session)
            self._workers.give_back(call.worker)
            call.worker = None
        call.deliver(None)
        self._fill()

    def _take_place(self, call: GuestCall) -> None:
        self._places.take(call.turn.session)
        self._paces.begins(call.turn.session, call)
        self._ticker.ensure_running()
        call.state = "running"

    def _give_place_back(self, call: GuestCall) -> None:
        self._places.give_back(call.turn.session)
        self._paces.ends(call.turn.session, call)

    def _end_unstarted(self, call: GuestCall, failure: BaseException) -> None:
        self._clear_timer(call)
        call.state = "done"
        call.failure = failure
        self._live.discard(call)
        call.deliver(None)

    def _clear_timer(self, call: GuestCall) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None

    def _give_up(self, call: GuestCall) -> None:
        call.timer = None
        if call.state == "waiting":
            waited = f"{call.turn.wait_seconds:g} s"
            self.abandon(call, ConnectorBusy(f"It waited {waited} for a place to compute, and none became free for it"))

    # Called on worker threads.

    def _tell_paused(self, call: GuestCall, request: str) -> None:
        try:
            call.loop.call_soon_threadsafe(self._paused, call, request)
        except RuntimeError:
            # The loop is closed, so nobody will ever answer.
            raise ConnectorCancelled("The event loop of the call is gone.") from None

    def _tell_finished(self, call: GuestCall) -> None:
        self._ended.append(call)
        # The loop of the call may have stopped; then a later call may wait for this place on another one.
        for loop in {call.loop, self._loop or call.loop}:
            with contextlib.suppress(RuntimeError):  # it is closed; the next call takes note of this one
                loop.call_soon_threadsafe(self._collect)
