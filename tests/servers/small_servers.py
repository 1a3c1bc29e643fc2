"""Servers of the seam, in this process: they answer what a test tells them, and note what they were asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from daemon.core.scrubbing.scrub import Scrubber
from daemon.tools.servers.hearing import Told
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.news import News
from daemon.tools.servers.upstream.seam import Asking, Era, Hello, Message, Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig

Answer = Message | Exception | Any


def text(said: str) -> dict[str, Any]:
    """Return a result of one block of text."""
    return {"content": [{"type": "text", "text": said}]}


@dataclass(frozen=True)
class Asks:
    """An answer for which the server says how far it is, and asks back first; it tells what it was answered."""

    params: Mapping[str, Any]


@dataclass
class AsksFor:
    """An answer for which the server asks back first; it tells what it was answered, and keeps what it may ask."""

    method: str
    params: Mapping[str, Any]
    name: str = ""
    capabilities: Message = field(default_factory=dict)


@dataclass
class SmallServer:
    """What one server offers and how it answers. A connection to it lives until `renew`."""

    tools: list[Any] = field(default_factory=list)
    answers: dict[str, Answer | list[Answer] | Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    refuses: Exception | None = None
    """Why no connection can be had."""
    tools_hold_seconds: float = 0.0
    """How long its list of tools holds, as it says."""
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    connection: "Connection | None" = None

    def renew(self) -> None:
        """Let the next call meet a new connection."""
        self.connection = None


class Connection:
    """One connection to a small server."""

    def __init__(self, name: str, server: SmallServer) -> None:
        self.name = name
        self.server = server
        self.hello = Hello(era=Era.MODERN, version="2026-07-28", server={"name": name}, capabilities={})

    @property
    def is_open(self) -> bool:
        return self.server.connection is self

    @property
    def tools_hold_seconds(self) -> float:
        return self.server.tools_hold_seconds

    async def tools(self, _: Asking) -> Sequence[Message]:
        self.server.asked["tools/list"] += 1
        await asyncio.sleep(0)
        return list(self.server.tools)

    async def call_tool(self, name: str, arguments: Mapping[str, Any], asking: Asking) -> Message:
        self.server.calls.append((name, arguments))
        answer = self.server.answers.get(name)
        if isinstance(answer, Asks):
            assert asking.progress is not None
            assert asking.answers is not None
            asking.progress({"progress": 1})
            return text(str(dict(await asking.answers.answer("elicitation/create", answer.params))))
        if isinstance(answer, AsksFor):
            assert asking.answers is not None
            answer.capabilities = asking.answers.capabilities
            return text(str(dict(await asking.answers.answer(answer.method, answer.params, answer.name))))
        return await self._answer(name, arguments)

    async def ask(self, method: str, params: Message, _: Asking) -> Message:
        self.server.calls.append((method, params))
        return await self._answer(method, params)

    async def every(self, method: str, _: Asking) -> Sequence[Message]:
        self.server.calls.append((method, {}))
        answer = await self._answer(method, {})
        return list(next((value for value in answer.values() if isinstance(value, list)), []))

    async def close(self) -> None:
        self.server.renew()

    async def _answer(self, name: str, arguments: Mapping[str, Any]) -> Message:
        answer = self.server.answers.get(name, text(f"{name} done"))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer):
            answer = await answer(arguments)
        if isinstance(answer, UpstreamError) and answer.trouble in {Trouble.SESSION_GONE, Trouble.NOT_REACHED}:
            self.server.renew()
        if isinstance(answer, Exception):
            raise answer
        return answer


class SmallServers:
    """The servers of a test."""

    def __init__(self, *configs: ServerConfig) -> None:
        self.configs = {config.name: config for config in configs}
        self.servers = {config.name: SmallServer() for config in configs}
        self.secrets: dict[str, Scrubber] = {}
        self._news = News()

    def all(self) -> Mapping[str, ServerConfig]:
        return self.configs

    def changes(self) -> AsyncGenerator[None, None]:
        return self._news.changes()

    def put(self, config: ServerConfig) -> SmallServer:
        """Add or change one."""
        self.configs = self.configs | {config.name: config}
        self._news.tell()
        return self.servers.setdefault(config.name, SmallServer())

    @asynccontextmanager
    async def lent(self, server: ServerConfig, _: str) -> AsyncIterator[Connection]:
        small = self.servers[server.name]
        if small.refuses is not None:
            raise small.refuses
        if small.connection is None:
            small.connection = Connection(server.name, small)
        yield small.connection

    def held(self) -> HeldServers:
        """Return them as the room takes them."""
        return HeldServers(configured=self, lender=self, scrubber_of=self.secrets.get, told=Told())
