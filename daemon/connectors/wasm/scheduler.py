"""Decides which guests compute: at most so many at once, while any number wait for the world.

All of its state belongs to the event loop's thread. Workers reach it only through call_soon_threadsafe.
"""

from collections import deque

from daemon.connectors.wasm.engine import Ticker
from daemon.connectors.wasm.errors import ConnectorCancelled
from daemon.connectors.wasm.guest_call import GuestCall
from daemon.connectors.wasm.workers import Workers


class Scheduler:
    """Starts calls, pauses them while they wait, resumes them, and ends them."""

    def __init__(self, *, active: int, workers: Workers, ticker: Ticker) -> None:
        self._active = active
        self._workers = workers
        self._ticker = ticker
        self._running = 0
        self._waiting: deque[GuestCall] = deque()
        self._resuming: deque[tuple[GuestCall, tuple[bool, str]]] = deque()
        self._live: set[GuestCall] = set()
        self._orphans: deque[GuestCall] = deque()
        self._closed = False

    def start(self, call: GuestCall) -> None:
        """Run a call now, or when its turn comes."""
        while self._orphans:
            self._finished(self._orphans.popleft())
        if self._closed:
            raise ConnectorCancelled("The WebAssembly runtime is closed.")
        call.attach(on_paused=self._tell_paused, on_finished=self._tell_finished)
        self._live.add(call)
        if self._running < self._active and self._workers.available:
            self._launch(call)
        else:
            call.state = "waiting"
            self._waiting.append(call)
            self._limit_wait(call)

    def resume(self, call: GuestCall, answer: tuple[bool, str]) -> None:
        """Give a paused guest its answer, now or when a slot is free."""
        if self._running < self._active:
            self._continue(call, answer)
        else:
            call.state = "resuming"
            self._resuming.append((call, answer))
            self._limit_wait(call)

    def abandon(self, call: GuestCall, reason: ConnectorCancelled | None = None) -> None:
        """End a call whose caller went away: at once if it waits, within a tick if it computes."""
        if call.state == "done":
            return
        call.stopped = call.stopped or reason or ConnectorCancelled("The call was cancelled.")
        if call.state == "waiting":
            self._waiting.remove(call)
            self._end_unstarted(call)
        elif call.state in {"paused", "resuming"}:
            self._resuming = deque(entry for entry in self._resuming if entry[0] is not call)
            # It only has to unwind, so it does not wait for a slot.
            self._continue(call, None)

    def close(self) -> None:
        """End every call and every thread."""
        self._closed = True
        for call in tuple(self._live):
            self.abandon(call, ConnectorCancelled("The WebAssembly runtime is closing."))
            call.end_http()
        self._workers.close()

    def _launch(self, call: GuestCall) -> None:
        self._running += 1
        self._ticker.ensure_running()
        call.state = "running"
        call.worker = worker = self._workers.take()
        worker.do(call.run)

    def _continue(self, call: GuestCall, answer: tuple[bool, str] | None) -> None:
        self._running += 1
        self._ticker.ensure_running()
        call.state = "running"
        self._clear_timer(call)
        call.answer(answer)

    def _fill(self) -> None:
        while self._running < self._active:
            if self._resuming:
                self._continue(*self._resuming.popleft())
            elif self._waiting and self._workers.available and not self._closed:
                call = self._waiting.popleft()
                self._clear_timer(call)
                self._launch(call)
            else:
                return

    def _paused(self, call: GuestCall, request: str) -> None:
        self._running -= 1
        call.state = "paused"
        if call.stopped is not None or not call.deliver(request):
            self._continue(call, None)
        self._fill()

    def _finished(self, call: GuestCall) -> None:
        self._running -= 1
        call.state = "done"
        self._live.discard(call)
        if call.worker is not None:
            self._workers.give_back(call.worker)
            call.worker = None
        call.deliver(None)
        if self._waiting or self._resuming:
            self._fill()

    def _end_unstarted(self, call: GuestCall) -> None:
        self._clear_timer(call)
        call.state = "done"
        call.failure = call.stopped
        self._live.discard(call)
        call.deliver(None)

    def _limit_wait(self, call: GuestCall) -> None:
        call.timer = call.loop.call_later(max(0.0, call.remaining()), self._expire, call)

    def _clear_timer(self, call: GuestCall) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None

    def _expire(self, call: GuestCall) -> None:
        call.timer = None
        if call.state in {"waiting", "resuming"}:
            call.stopped = call.timeout()
            self.abandon(call)

    # Called on worker threads.

    def _tell_paused(self, call: GuestCall, request: str) -> None:
        try:
            call.loop.call_soon_threadsafe(self._paused, call, request)
        except RuntimeError:
            # The loop is closed, so nobody will ever answer.
            raise ConnectorCancelled("The event loop of the call is gone.") from None

    def _tell_finished(self, call: GuestCall) -> None:
        try:
            call.loop.call_soon_threadsafe(self._finished, call)
        except RuntimeError:
            self._orphans.append(call)
