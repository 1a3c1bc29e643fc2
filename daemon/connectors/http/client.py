"""The HTTP client that all connectors share: its start, its end, and a context for each connector call."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from daemon.base.clock import Clock, Entropy
from daemon.connectors.http.answer_memory import AnswerMemory, HeldMemory, return_freed_memory
from daemon.connectors.http.exchange import Exchanger
from daemon.connectors.http.history import OnEvent
from daemon.connectors.http.mediator import BeforeSend, CallContext, CredentialFor, Outlet
from daemon.connectors.http.records import NetworkPolicy
from daemon.connectors.http.workers import BodyWorkers
from daemon.core.authority import HostPort
from daemon.core.manifest import Manifest
from daemon.net.http1.pool import Pool
from daemon.net.resolver import Resolver

T = TypeVar("T")

LARGEST_ANSWERS = 8
"""How many answers of the largest size may be in memory at the same time, over all calls."""


@dataclass(frozen=True, slots=True)
class _Running:
    outlet: Outlet
    pool: Pool
    workers: BodyWorkers


class OutboundHttp:
    """Owns the connections that all connectors' requests leave over; one for each daemon.

    A call makes one request at a time, so there are at most as many connections in use as calls under way
    (`limits.wasm_threads`), and no request waits for one. Sessions share the calls, and so these.
    """

    def __init__(
        self,
        *,
        policy: NetworkPolicy,
        clock: Clock,
        entropy: Entropy = os.urandom,
        resolver: Resolver | None = None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._resolver = resolver
        self._running: _Running | None = None
        self._memory = AnswerMemory(total_bytes=LARGEST_ANSWERS * policy.max_response_bytes)

    @property
    def held_bytes(self) -> int:
        """Return how much of the memory for large answers is held now."""
        return self._memory.held

    @property
    def allow_private(self) -> frozenset[HostPort]:
        """Return the places for which a person allowed private addresses."""
        return self._policy.allow_private

    async def start(self) -> None:
        """Make ready; raise OSError or ssl.SSLError when the extra CA file cannot be read."""
        if self._running is not None:
            return
        return_freed_memory()
        pool = Pool(
            extra_ca_file=self._policy.extra_ca_file,
            connect_seconds=self._policy.connect_seconds,
            allow_private=self._policy.allow_private,
            resolver=self._resolver,
        )
        pool.read_own_authorities()
        workers = BodyWorkers()
        exchanger = Exchanger(
            pool=pool,
            workers=workers,
            user_agent=self._policy.user_agent,
            max_response_bytes=self._policy.max_response_bytes,
        )
        outlet = Outlet(exchanger, self._policy, workers, self._clock, self._entropy)
        self._running = _Running(outlet, pool, workers)

    async def close(self) -> None:
        """Close every connection and give the threads back; may be called twice."""
        running, self._running = self._running, None
        if running is not None:
            await running.pool.close()
            running.workers.close()

    async def beside_the_loop(self, work: Callable[[], T], *, size: int) -> T:
        """Do work on a text of this size: on a thread beside the event loop, unless the text is small."""
        if self._running is None:  # closed: the threads have ended
            return work()
        return await self._running.workers.run(work, size=size)

    def call_context(
        self,
        *,
        manifest: Manifest,
        credential: CredentialFor,
        deadline: float,
        op_idempotent: bool,
        before_send: BeforeSend,
        on_event: OnEvent | None = None,
        owner: str = "",
    ) -> CallContext:
        """Make the http function for one connector call; `deadline` is a time of the clock's `monotonic()`.

        `owner` is the session that the call belongs to: sessions share the memory for large answers. The caller closes
        the function when the call is over.
        """
        if self._running is None:
            raise RuntimeError("OutboundHttp.call_context() needs start() before it")
        return CallContext(
            outlet=self._running.outlet,
            manifest=manifest,
            credential=credential,
            deadline=deadline,
            op_idempotent=op_idempotent,
            before_send=before_send,
            on_event=on_event,
            memory=HeldMemory(self._memory, owner),
        )
