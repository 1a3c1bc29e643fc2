"""The MCP server: one surface over the daemon's tools and what servers offer beside them; it tells what changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from aileron_mcp.agents import Context, PerConnection
from aileron_mcp.calling import Calls
from aileron_mcp.catalogue import PROMPTS, Kind
from aileron_mcp.client import AgentApiError
from aileron_mcp.daemon_link import Link
from aileron_mcp.listing import Listing
from aileron_mcp.others import Others
from aileron_mcp.pipe import agent_pipe
from aileron_mcp.rounds import Rounds
from aileron_mcp.straight import StraightWay
from aileron_mcp.texts import STATUS_TOOL
from aileron_mcp.version import VERSION
from aileron_mcp.watched import Streams, Watching
from aileron_mcp.watching import Heard, watch

_INSTRUCTIONS = (
    f"A person installed these tools. Some wait for their approval of each call; follow it with {STATUS_TOOL}. "
    "What is refused is refused by the person's rules: look for no way around it."
)
_TOOLS, _RESOURCES, _PROMPTS = "tools_changed", "resources_changed", "prompts_changed"
_NEWS: Mapping[str, tuple[ServerEvent, Callable[[ServerSession], Awaitable[None]]]] = {
    _TOOLS: (ToolsListChanged(), ServerSession.send_tool_list_changed),
    _RESOURCES: (ResourcesListChanged(), ServerSession.send_resource_list_changed),
    _PROMPTS: (PromptsListChanged(), ServerSession.send_prompt_list_changed),
}
_MOST_STREAMS = 64
_REACH_SECONDS = 5.0
OPTIONS = NotificationOptions(tools_changed=True, resources_changed=True, prompts_changed=True)


class ToolServer:
    """Serves one agent."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._listing = Listing(link)
        self._told: tuple[Any, ...] | None = None
        self._bus = InMemorySubscriptionBus()
        self._asked = asyncio.Event()
        self._reached = asyncio.Event()
        """Set when the daemon has begun to tell of changes."""
        self._older: PerConnection[ServerSession] = PerConnection()
        """Agents of the older era that asked for tools."""
        self._telling: set[asyncio.Task[None]] = set()
        rounds = self._rounds = Rounds()
        calls = Calls(link, self._listing, rounds)
        self._straight = StraightWay(calls, rounds, self._older.of_pipe)
        others = Others(link, rounds, self._late)
        watching = self._watching_resources = Watching(others.owner, others.watch, self._bus)
        self._streams = Streams(self._bus, watching, most=_MOST_STREAMS)
        self.server: Server[Any] = Server(
            "aileron",
            version=VERSION,
            title="Aileron",
            instructions=_INSTRUCTIONS,
            lifespan=self._watching,
            on_list_tools=self._list_tools,
            on_call_tool=calls.call,
            on_list_resources=others.resources,
            on_list_resource_templates=others.templates,
            on_read_resource=others.read,
            on_list_prompts=others.prompts,
            on_get_prompt=others.prompt,
            on_completion=others.complete,
            on_subscribe_resource=self._subscribe,
            on_unsubscribe_resource=watching.unsubscribe,
            on_subscriptions_listen=self._listen,
        )
        # Not given above: there the library warns of it, because only the older era has it.
        self.server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        # What the library puts around every message are spans of OpenTelemetry, which nobody collects here.
        self.server.middleware.clear()

    async def serve(self) -> None:
        """Answer over standard input and output until the pipe is closed."""
        async with agent_pipe(self._straight) as (incoming, outgoing):
            await self.server.run(incoming, outgoing, self.server.create_initialization_options(OPTIONS))

    @contextlib.asynccontextmanager
    async def _watching(self, _: Server[Any]) -> AsyncIterator[dict[str, Any]]:
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self._watch())
            try:
                yield {}
            finally:
                watcher.cancel()
                self._rounds.close()

    async def _watch(self) -> None:
        await self._asked.wait()  # whoever never asks for tools needs no news of them
        watching = self._watching_resources
        heard = Heard(refresh=self._refresh_and_tell, tell=self._tell, updated=watching.updated, again=watching.again)
        await watch(self._link, heard)

    async def _list_tools(self, ctx: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._older.put(ctx, ctx.session)
            self._straight.forget()
        # A daemon that is away leaves the list as it was known; the watcher tells when that has changed.
        with contextlib.suppress(AgentApiError):
            await self._listing.refresh()
        self._told = self._listing.offer.tools
        self._asked.set()
        return types.ListToolsResult(tools=self._listing.tools())

    async def _subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        await self._hear_of_changes()
        return await self._watching_resources.subscribe(ctx, params)

    async def _listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        await self._hear_of_changes()
        return await self._streams(ctx, params)

    async def _hear_of_changes(self) -> None:
        """Return when the daemon tells of changes: one between a subscription and that would be lost.

        A daemon that is away is not waited for long; what is asked of it next says so.
        """
        self._asked.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REACH_SECONDS):
                await self._reached.wait()

    async def _set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self._rounds.levels.put(ctx, params.level)
        self._straight.forget()
        return types.EmptyResult()

    async def _refresh_and_tell(self) -> None:
        self._reached.set()
        await self._listing.refresh()
        if self._listing.offer.tools != self._told:
            self._told = self._listing.offer.tools
            await self._tell(_TOOLS)

    def _late(self, kind: Kind) -> None:
        task = asyncio.ensure_future(self._tell(_PROMPTS if kind is PROMPTS else _RESOURCES))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, changed: str) -> None:
        event, send = _NEWS[changed]
        await self._bus.publish(event)
        for session in self._older:
            with contextlib.suppress(Exception):  # the agent may just be leaving, which its reader will notice
                await send(session)
