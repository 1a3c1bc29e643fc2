"""Makes a connection to a server: finds out which era it speaks, and offers the inner seam over it."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from daemon.tools.servers.upstream import headers
from daemon.tools.servers.upstream.eras import Client, capabilities_of, in_modern_form, modern_params
from daemon.tools.servers.upstream.levels import lower
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.listening import METHOD as LISTEN
from daemon.tools.servers.upstream.listening import Listening
from daemon.tools.servers.upstream.lists import every_page
from daemon.tools.servers.upstream.messages import HEADER_MISMATCH, METHOD_NOT_FOUND
from daemon.tools.servers.upstream.negotiating import Negotiation
from daemon.tools.servers.upstream.peer import Peer
from daemon.tools.servers.upstream.rounds import through_rounds
from daemon.tools.servers.upstream.seam import (
    Answers,
    Asking,
    Era,
    Hello,
    Message,
    Notices,
    ToolExecutor,
    Trouble,
    UpstreamError,
)
from daemon.tools.servers.upstream.transport import Transport
from daemon.tools.servers.upstream.while_open import AnswersWhileOpen

_SAID_AS_IT_IS = frozenset({Trouble.NOT_STARTED, Trouble.NOT_REACHED, Trouble.UNAUTHORISED})
_LEVEL_SECONDS = 5.0
_FOR_EVER = 10 * 365 * 86400.0


async def connect(
    transport: Transport,
    *,
    name: str,
    notices: Notices,
    limits: Limits,
    answers: Answers | None = None,
    client: Client | None = None,
    era: Era | None = None,
) -> ToolExecutor:
    """Return a server that can be asked; raises UpstreamError, and then the transport is closed.

    `answers` answers what the server asks back outside of one call (`roots/list`), or when several calls are under way
    and nobody can say which of them it means. `era` spares the question for it when it is known from before.
    """
    peer = Peer(transport, name=name, limits=limits, notices=notices, answers=answers)
    client = client or Client.answering(answers)
    transport.open(peer, limits)
    try:
        async with asyncio.timeout(limits.start_seconds):
            hello = await Negotiation(peer, client, limits).hello(era)
            peer.agreed(hello)
            if hello.era is Era.HANDSHAKE:
                await peer.tell("notifications/initialized")
    except TimeoutError as error:
        await peer.close()
        raise too_slow(name, limits.start_seconds) from error
    except UpstreamError as problem:
        await peer.close()
        if problem.trouble in _SAID_AS_IT_IS:
            raise
        # No request of anybody's was made yet, so nothing of theirs may have run.
        raise problem.told(trouble=Trouble.NOT_STARTED) from problem
    except BaseException:
        await peer.close()
        raise
    if hello.era is Era.HANDSHAKE:
        return Connection(name, hello, peer, limits)
    return ModernConnection(name, hello, peer, limits, client=client, notices=notices)


def too_slow(name: str, seconds: float) -> UpstreamError:
    """Return the error of a server that took too long to start, as one does that is downloaded each first time."""
    message = f"{name} did not say who it is in {seconds:g} s. `start_seconds` in servers.yaml gives it longer"
    return UpstreamError(Trouble.NOT_STARTED, message)


class Connection:
    """A server that can be asked, in the handshake era."""

    def __init__(self, name: str, hello: Hello, peer: Peer, limits: Limits) -> None:
        self._name = name
        self._hello = hello
        self._peer = peer
        self._limits = limits
        self._tools_hold = 0.0
        self._level: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the server in the configuration."""
        return self._name

    @property
    def hello(self) -> Hello:
        """Return what the server said of itself."""
        return self._hello

    @property
    def is_open(self) -> bool:
        """Say whether a request can still be made."""
        return self._peer.is_open

    @property
    def oddities(self) -> Mapping[str, int]:
        """Return how often the server did what no server should do."""
        return self._peer.oddities.counts

    @property
    def tools_hold_seconds(self) -> float:
        """Return for how long the last list of tools holds, as the server says; 0 if it does not say."""
        return self._tools_hold

    async def tools(self, asking: Asking) -> Sequence[Message]:
        """Return all definitions of tools; none if the server has no tools. Raises UpstreamError."""
        return [tool for tool in await self.every("tools/list", asking) if isinstance(tool.get("name"), str)]

    async def every(self, method: str, asking: Asking) -> Sequence[Message]:
        """Return all entries of a list, none if the server has no such list; raises UpstreamError."""
        try:
            listed = await every_page(method, lambda params: self.ask(method, params, asking), self._limits)
        except UpstreamError as problem:
            if problem.code == METHOD_NOT_FOUND and method.partition("/")[0] not in self._hello.capabilities:
                return []
            raise
        if method == "tools/list":
            self._tools_hold = listed.holds_seconds
        return listed.entries

    def call_tool(self, name: str, arguments: Mapping[str, Any], asking: Asking) -> Coroutine[Any, Any, Message]:
        """Call a tool; raises UpstreamError."""
        return self.ask("tools/call", {"name": name, "arguments": arguments}, asking)

    async def ask(self, method: str, params: Message, asking: Asking) -> Message:
        """Make any other request; raises UpstreamError."""
        if asking.lines is not None and "logging" in self._hello.capabilities:
            await self._have_logged(asking.lines.level)
        return in_modern_form(await self._peer.ask(method, params, asking))

    async def close(self) -> None:
        """End the connection."""
        await self._peer.close()

    async def _have_logged(self, wanted: str) -> None:
        """Have the server write lines from this level on, if it does not yet.

        The level is one for the whole connection, so it only goes down; who wants less is given less of it.
        """
        level = lower(self._level, wanted)
        if level == self._level:
            return
        self._level = level
        with contextlib.suppress(UpstreamError):  # it then writes what it likes; the request itself is none the worse
            await self._peer.ask("logging/setLevel", {"level": level}, Asking(seconds=_LEVEL_SECONDS))


class ModernConnection(Connection):
    """A server that can be asked, in the modern era."""

    def __init__(
        self, name: str, hello: Hello, peer: Peer, limits: Limits, *, client: Client, notices: Notices
    ) -> None:
        super().__init__(name, hello, peer, limits)
        self._client = client
        self._mirrored: dict[str, headers.Mirrored] = {}
        self._listening = Listening(self._listen, hello.capabilities, notices)
        self._listening.begin()

    async def every(self, method: str, asking: Asking) -> Sequence[Message]:
        """Return all entries of a list, without the tools whose headers nobody could send; raises UpstreamError."""
        found = await super().every(method, asking)
        if method != "tools/list":
            return found
        kept, mirrored = [], {}
        for tool in found:
            wanted = headers.mirrored_in(tool.get("inputSchema"))
            if wanted is None:
                self._peer.oddities.note("it has a tool whose x-mcp-header is not allowed")
                continue
            kept.append(tool)
            if wanted:
                mirrored[str(tool.get("name"))] = wanted
        self._mirrored = mirrored
        return kept

    async def call_tool(self, name: str, arguments: Mapping[str, Any], asking: Asking) -> Message:
        """Call a tool; raises UpstreamError.

        The first call may lack headers that the tool's definition asks for. The server then refuses before it does
        anything; the definitions are read, and if they do ask for other headers, the call is made once more.
        """
        before = self._mirrored.get(name)
        try:
            return await super().call_tool(name, arguments, asking)
        except UpstreamError as problem:
            if problem.code != HEADER_MISMATCH:
                raise
            await self.every("tools/list", Asking(seconds=asking.seconds))
            if self._mirrored.get(name) == before:
                raise
        return await super().call_tool(name, arguments, asking)

    async def ask(self, method: str, params: Message, asking: Asking) -> Message:
        """Make a request; what the modern era does in another way is done in that way. Raises UpstreamError."""
        uri = params.get("uri")
        if method in {"resources/subscribe", "resources/unsubscribe"} and isinstance(uri, str):
            (self._listening.subscribe if method == "resources/subscribe" else self._listening.unsubscribe)(uri)
            return {"resultType": "complete"}
        if asking.answers is not None:
            asking = asking._replace(answers=AnswersWhileOpen(asking.answers, self._peer.gone, self._name))
        once = partial(self._round, method)
        return in_modern_form(await through_rounds(once, params, asking, most=self._limits.questions))

    async def close(self) -> None:
        """End the connection and the subscription."""
        await self._listening.close()
        await super().close()

    async def _round(self, method: str, params: Mapping[str, Any], asking: Asking) -> dict[str, Any]:
        version = self._hello.version
        level = asking.lines.level if asking.lines is not None else None
        sent = self._headers(method, params) if self._peer.has_headers else None
        said = modern_params(params, self._client, version=version, capabilities=capabilities_of(asking), level=level)
        return await self._peer.ask(method, said, asking, headers=sent)

    def _headers(self, method: str, params: Mapping[str, Any]) -> dict[str, str]:
        sent = headers.routing(self._hello.version, method, params)
        mirrored = self._mirrored.get(params.get("name", "")) if method == "tools/call" else None
        if mirrored:
            sent |= headers.parameters(mirrored, params.get("arguments") or {})
        return sent

    async def _listen(self, params: Mapping[str, Any]) -> Message:
        return await self._round(LISTEN, params, Asking(seconds=_FOR_EVER))
