"""The resources that an agent watches: asked of the daemon once each, and told to every connection that asked."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ListenHandler, ResourceUpdated, SubscriptionBus
from mcp.shared.exceptions import MCPError

from aileron_mcp.agents import MOST_CONNECTIONS, Context, key_of
from aileron_mcp.catalogue import Owned

SUBSCRIBE, UNSUBSCRIBE = "(subscribe)", "(unsubscribe)"
_MOST_AT_ONCE = 256
"""As many resources of one stream are watched; the daemon allows no more to a session either."""
_ANSWER_SECONDS = 30.0

Ask = Callable[[Owned, str, Context | None], Awaitable[None]]
"""Asks the daemon to watch a resource, or not; raises MCPError."""


@dataclass
class _Watched:
    owned: Owned
    older: dict[tuple[str, str], ServerSession] = field(default_factory=dict)
    """Connections of the older era, each with what it calls the resource: one may have two addresses."""
    streams: Counter[str] = field(default_factory=Counter)
    """In how many streams of the newer era it was asked for, by what it was called there."""

    @property
    def key(self) -> tuple[str, str]:
        """Return what the daemon calls it."""
        return self.owned.prefix, self.owned.address

    @property
    def is_wanted(self) -> bool:
        """Say whether anybody still wants to know."""
        return bool(self.older) or bool(self.streams)


class Watching:
    """What is watched for one agent."""

    def __init__(self, find: Callable[[str], Awaitable[Owned]], ask: Ask, bus: SubscriptionBus) -> None:
        self._find = find
        self._ask = ask
        self._bus = bus
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._one_at_a_time = asyncio.Lock()

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Watch a resource for a connection of the older era."""
        watched = await self._begin(params.uri, ctx)
        watched.older[key_of(ctx), params.uri] = ctx.session
        if len(watched.older) > MOST_CONNECTIONS:
            del watched.older[next(iter(watched.older))]
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Watch it no longer; a resource that was not watched is as good."""
        for watched in list(self._watched.values()):
            if watched.older.pop((key_of(ctx), params.uri), None) is not None:
                await self._end(watched, ctx)
        return types.EmptyResult()

    async def open_stream(self, ctx: Context, uris: Sequence[str]) -> dict[str, _Watched]:
        """Watch resources for a stream of the newer era; return those that are watched now, by what it calls them."""
        begun: dict[str, _Watched] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                for uri in list(dict.fromkeys(uris))[:_MOST_AT_ONCE]:
                    with contextlib.suppress(MCPError):  # what is left out of the stream is not watched
                        watched = await self._begin(uri, ctx)
                        watched.streams[uri] += 1
                        begun[uri] = watched
        return begun

    async def close_stream(self, begun: Mapping[str, _Watched]) -> None:
        """Watch them for this stream no longer."""
        for uri, watched in begun.items():
            watched.streams -= Counter([uri])
            with contextlib.suppress(MCPError):
                await self._end(watched, None)

    async def again(self) -> None:
        """Ask for everything once more: the daemon may be another one, which knows of nothing."""
        for watched in list(self._watched.values()):
            with contextlib.suppress(MCPError):
                await self._ask(watched.owned, SUBSCRIBE, None)
            await self._tell(watched)

    async def updated(self, said: Mapping[str, Any]) -> None:
        """Tell of a change to everybody who watches the resource."""
        watched = self._watched.get((str(said.get("prefix")), str(said.get("uri"))))
        if watched is not None:
            await self._tell(watched)

    async def _begin(self, uri: str, ctx: Context) -> _Watched:
        owned = await self._find(uri)
        key = owned.prefix, owned.address
        async with self._one_at_a_time:
            if key not in self._watched:
                await self._ask(owned, SUBSCRIBE, ctx)
                self._watched[key] = _Watched(owned)
            return self._watched[key]

    async def _end(self, watched: _Watched, ctx: Context | None) -> None:
        async with self._one_at_a_time:
            if not watched.is_wanted and self._watched.pop(watched.key, None) is not None:
                await self._ask(watched.owned, UNSUBSCRIBE, ctx)

    async def _tell(self, watched: _Watched) -> None:
        for uri in list(watched.streams):
            await self._bus.publish(ResourceUpdated(uri=uri))
        for (_, uri), session in list(watched.older.items()):
            with contextlib.suppress(Exception):  # the agent may just be leaving, which its reader will notice
                await session.send_resource_updated(uri)


class Streams(ListenHandler):
    """The streams of the newer era, which also say which resources are to be watched."""

    def __init__(self, bus: SubscriptionBus, watching: Watching, *, most: int) -> None:
        super().__init__(bus, max_subscriptions=most)
        self._watching = watching
        self._closing: set[asyncio.Task[None]] = set()

    async def __call__(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one stream. What cannot be watched is left out of what the agent is told that it will hear."""
        wanted = params.notifications
        begun = await self._watching.open_stream(ctx, wanted.resource_subscriptions or ())
        kept = wanted.model_copy(update={"resource_subscriptions": list(begun) or None})
        try:
            return await super().__call__(ctx, params.model_copy(update={"notifications": kept}))
        finally:
            task = asyncio.ensure_future(self._watching.close_stream(begun))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
