"""How a connection begins: which era the server speaks, and what it says of itself.

    server/discover --a result that names the modern version--> modern
          |
          +--any error, or another result--> initialize --a result--> handshake
          |
          +--silence--> initialize besides: whichever is answered first decides

A server may be silent because it is still being installed, or because it ignores what it does not know. So the first
question stays open while the second one is asked, and a slow server of the modern era is not taken for an old one.
Only these two requests are ever sent twice; they have no effect.
"""

import asyncio
import contextlib
from typing import Any

from daemon.tools.servers.upstream import headers
from daemon.tools.servers.upstream.eras import (
    HANDSHAKE_VERSIONS,
    MODERN_VERSION,
    Client,
    hello_of_discovery,
    hello_of_handshake,
    initialize_params,
    modern_params,
)
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.messages import UNSUPPORTED_VERSION
from daemon.tools.servers.upstream.peer import Peer
from daemon.tools.servers.upstream.seam import Asking, Era, Hello, Trouble, UpstreamError

_GO_ON = frozenset({Trouble.REFUSED, Trouble.MALFORMED, Trouble.LOST})
"""What a server of the older era may answer to a question that it does not know."""


class ProbeEndedServer(UpstreamError):
    """The server ended when it was asked for its era. Started again, it may be greeted in the older way at once."""


class Negotiation:
    """Finds out what a server speaks, on a connection on which nothing else was sent."""

    def __init__(self, peer: Peer, client: Client, limits: Limits) -> None:
        self._peer = peer
        self._client = client
        self._limits = limits

    async def hello(self, known: Era | None) -> Hello:
        """Return what the server says of itself; raises UpstreamError. An era that is known is not asked for."""
        if known is Era.HANDSHAKE:
            return await self._initialize()
        probe: asyncio.Future[Hello | None] = asyncio.ensure_future(self._discover())
        try:
            await asyncio.wait({probe}, timeout=self._limits.probe_seconds)
            if not probe.done():
                return await self._both(probe)
            return await self._after(probe)
        finally:
            probe.cancel()
            with contextlib.suppress(UpstreamError, asyncio.CancelledError):
                await probe

    async def _after(self, probe: "asyncio.Future[Hello | None]") -> Hello:
        try:
            found = await probe
        except UpstreamError as problem:
            if problem.trouble is Trouble.LOST and not self._peer.is_open:
                raise ProbeEndedServer(Trouble.NOT_STARTED, problem.message) from problem
            if problem.trouble not in _GO_ON:
                raise
            named = problem.data.get("supported") if isinstance(problem.data, dict) else None
            if problem.code == UNSUPPORTED_VERSION and _speaks_nothing_known(named):
                raise _no_common_version(named) from problem
            again = problem.code == UNSUPPORTED_VERSION and isinstance(named, list) and MODERN_VERSION in named
            # It turned down the version that it names itself: asked once more, and not for ever.
            found = await self._discover() if again else None
        return found or await self._initialize()

    async def _both(self, probe: "asyncio.Future[Hello | None]") -> Hello:
        handshake: asyncio.Future[Hello] = asyncio.ensure_future(self._initialize())
        try:
            await asyncio.wait((probe, handshake), return_when=asyncio.FIRST_COMPLETED)
            if probe.done():
                with contextlib.suppress(UpstreamError):
                    if (found := await probe) is not None:
                        return found
                return await handshake
            try:
                return await handshake
            except UpstreamError as problem:
                if problem.code != UNSUPPORTED_VERSION:
                    raise
                found = await probe  # a server of the modern era, which answers one thing after the other
                if found is None:
                    raise
                return found
        finally:
            handshake.cancel()
            with contextlib.suppress(UpstreamError, asyncio.CancelledError):
                await handshake

    async def _discover(self) -> Hello | None:
        params = modern_params({}, self._client, version=MODERN_VERSION, capabilities=self._client.capabilities)
        sent = headers.routing(MODERN_VERSION, "server/discover", params)
        result = await self._ask("server/discover", params, sent)
        named = result.get("supportedVersions")
        if _speaks_nothing_known(named):
            raise _no_common_version(named)
        return hello_of_discovery(result)

    async def _initialize(self) -> Hello:
        result = await self._ask("initialize", initialize_params(self._client), {})
        hello = hello_of_handshake(result)
        if hello is None:
            raise _no_common_version(result.get("protocolVersion"))
        return hello

    async def _ask(self, method: str, params: dict[str, Any], sent: dict[str, str]) -> dict[str, Any]:
        return await self._peer.ask(method, params, Asking(seconds=self._limits.start_seconds), headers=sent)


def _speaks_nothing_known(named: Any) -> bool:
    """Say whether a server named the versions that it speaks, and none of them is spoken here."""
    return isinstance(named, list) and not any(version in (MODERN_VERSION, *HANDSHAKE_VERSIONS) for version in named)


def _no_common_version(named: Any) -> UpstreamError:
    spoken = ", ".join((MODERN_VERSION, *HANDSHAKE_VERSIONS))
    return UpstreamError(
        Trouble.NOT_STARTED,
        f"The server speaks a version of MCP that Aileron does not: it says {str(named)[:200]!r}; known are {spoken}.",
    )
