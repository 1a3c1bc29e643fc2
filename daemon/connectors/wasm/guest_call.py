"""One call of a guest: the conversation between its thread and the event loop, and what it may ask of its host."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.base.clock import Clock, Entropy
from daemon.connectors.wasm.call_time import CallTime
from daemon.connectors.wasm.engine import Ticker
from daemon.connectors.wasm.errors import (
    ConnectorBusy,
    ConnectorCancelled,
    ConnectorCrash,
    ConnectorTimeout,
    ResourceExceeded,
)
from daemon.connectors.wasm.limits import MAX_RANDOM_BYTES, MAX_REQUEST_BYTES, CallLimits
from daemon.connectors.wasm.native import GuestTrap, LimitBroken, drop_store
from daemon.connectors.wasm.traps import explain_trap
from daemon.connectors.wasm.workers import Worker
from daemon.core.turn import Turn

_WARNING = 3
_LEVELS = 5

Log = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class HostServices:
    """What the host side of every call is made of."""

    clock: Clock
    entropy: Entropy
    ticker: Ticker


class GuestCall:
    """One call of a guest. The first half of the methods runs on a worker's thread, the second on the event loop's.

    The scheduler moves it through these values of `state`, on the event loop's thread:

        new --> waiting --> running ----------> done
                   |         ^    |              ^
                   |         |    v              |
                   |   resuming <-- paused       |
                   |                             |
                   +-- given up, or no place ----+

    It waits for a place to compute, runs, pauses while the host answers a request of the guest, and resumes when a
    place is free again. `stopped` says why it must end early; a paused guest is then continued only to unwind.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_dropped",
        "_gate",
        "_lines",
        "_log_bytes_left",
        "_log_lines_left",
        "_manifest",
        "_on_finished",
        "_on_paused",
        "_services",
        "_waiter",
        "failure",
        "limits",
        "loop",
        "pending",
        "result",
        "scope",
        "state",
        "stopped",
        "time",
        "timer",
        "turn",
        "worker",
    )

    def __init__(
        self,
        *,
        body: Callable[["GuestCall"], Any],
        services: HostServices,
        limits: CallLimits,
        manifest: str,
        loop: asyncio.AbstractEventLoop,
        turn: Turn | None = None,
        time: CallTime | None = None,
    ) -> None:
        self._body = body
        self._services = services
        self._manifest = manifest
        self._lines: list[tuple[int, str]] = []
        self._dropped = 0
        self._log_lines_left = limits.log_lines
        self._log_bytes_left = limits.log_bytes
        self._gate: threading.Lock | None = None
        self._answer: tuple[bool, str] | None = None
        self._waiter: asyncio.Future[str | None] | None = None
        self._on_paused: Callable[[GuestCall, str], None]
        self._on_finished: Callable[[GuestCall], None]
        self.limits = limits
        self.loop = loop
        self.turn = turn or Turn()
        self.time = time or CallTime(services.clock, limits.seconds)
        self.failure: BaseException | None = None
        self.stopped: ConnectorBusy | ConnectorCancelled | ConnectorTimeout | None = None
        self.pending: tuple[bool, str] | None = None
        self.result: Any = None
        self.scope: asyncio.Timeout | None = None
        self.state = "new"
        self.timer: asyncio.TimerHandle | None = None
        self.worker: Worker | None = None

    # On the worker's thread.

    def run(self) -> None:
        """Run the guest and tell the event loop."""
        try:
            self.result = self._body(self)
        except GuestTrap as trap:
            if self.failure is None:
                self.failure = explain_trap(str(trap), self.limits)
        except LimitBroken as broken:
            self.failure = ResourceExceeded(
                f"The connector's answer has {broken.size} bytes; {self.limits.result_bytes} are the limit.",
                limit="result",
            )
        except BaseException as failure:  # noqa: BLE001 -- it belongs to the caller, not to this thread
            self.failure = failure
        self._on_finished(self)
        # Unmapping memory takes time, so it comes after the answer was handed over.
        drop_store()

    def check(self) -> None:
        """Raise if the call must end now. Otherwise keep the ticker running."""
        if self.stopped is not None:
            raise self.stopped
        if self.time.remaining() <= 0:
            raise self.timeout()
        self._services.ticker.touch()

    def http(self, request: str) -> tuple[bool, str]:
        """Let the event loop answer a request, and wait. Meanwhile another guest may have the place."""
        self.check()
        self._gate = gate = threading.Lock()
        gate.acquire()
        self._on_paused(self, request)
        gate.acquire()
        self.check()
        answer = self._answer
        if answer is None:
            raise ConnectorCancelled("The call was ended while the connector waited for an answer.")
        return answer

    def http_too_large(self, size: int) -> tuple[bool, str]:
        """Refuse a request that is larger than the host reads."""
        message = f"The request has {size} bytes; {MAX_REQUEST_BYTES} are the limit."
        return False, json.dumps({"code": "too_large", "message": message})

    def log_room(self) -> int:
        """Return how many bytes of log may still be taken; below zero when no line may."""
        return self._log_bytes_left if self._log_lines_left > 0 else -1

    def log(self, level: int, message: bytes | None, size: int) -> None:
        """Keep a line for the event loop to log, or count it as dropped."""
        if message is None:
            self._dropped += 1
            return
        self._log_lines_left -= 1
        self._log_bytes_left -= size
        self._lines.append((min(level, _LEVELS - 1), message.decode("utf-8", "replace")))

    def now_ms(self) -> float:
        """Return milliseconds since the Unix epoch."""
        return float(self._services.clock.now_ms())

    def random_hex(self, count: int) -> str:
        """Return random bytes in hexadecimal."""
        if count > MAX_RANDOM_BYTES:
            raise ConnectorCrash(
                f"The connector asked for {count} random bytes; {MAX_RANDOM_BYTES} a call are the limit."
            )
        return self._services.entropy(count).hex()

    def manifest(self) -> str:
        """Return the connector's own manifest."""
        return self._manifest

    # On the event loop's thread.

    def attach(
        self, *, on_paused: Callable[["GuestCall", str], None], on_finished: Callable[["GuestCall"], None]
    ) -> None:
        """Say whom the worker tells, on its own thread, that the guest waits or has ended."""
        self._on_paused = on_paused
        self._on_finished = on_finished

    async def next_request(self) -> str | None:
        """Wait until the guest asks for something; None when it has ended."""
        if self.state == "done":
            return None
        self._waiter = self.loop.create_future()
        return await self._waiter

    def deliver(self, request: str | None) -> bool:
        """Wake the task that waits for the guest; return False when none waits any more."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return False
        waiter.set_result(request)
        return True

    def answer(self, answer: tuple[bool, str] | None) -> None:
        """Let the waiting guest go on; None makes it trap."""
        gate = self._gate
        if gate is not None:
            self._answer = answer
            self._gate = None
            gate.release()

    def end_http(self) -> None:
        """End the request that is being answered, if one is."""
        if self.scope is not None and not self.scope.expired() and not self.loop.is_closed():
            self.scope.reschedule(self.loop.time())

    def timeout(self) -> ConnectorTimeout:
        """Make the error for a call whose time is up."""
        return ConnectorTimeout(f"The connector did not finish within its {self.limits.seconds:g} s.")

    def hand_over_log(self, log: Log) -> None:
        """Pass on the lines kept since the last time."""
        lines, self._lines = self._lines, []
        for level, message in lines:
            log(level, message)

    def report_dropped(self, log: Log) -> None:
        """Say how many lines were not kept, once the guest has ended."""
        if self._dropped:
            log(
                _WARNING,
                f"{self._dropped} more log lines were dropped; a call may write {self.limits.log_lines} lines"
                f" and {self.limits.log_bytes} bytes.",
            )
