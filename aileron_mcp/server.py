"""The MCP server: lists the daemon's tools, calls them, and says when the list has changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from aileron_mcp import texts
from aileron_mcp.client import AgentApiError, AgentClient, CallResult, ToolList
from aileron_mcp.daemon_link import DaemonLink
from aileron_mcp.pipe import agent_pipe
from aileron_mcp.texts import STATUS_TOOL, Reply
from aileron_mcp.tools import MAX_WAIT_SECONDS, offer
from aileron_mcp.troubles import told
from aileron_mcp.version import VERSION
from aileron_mcp.watching import watch

T = TypeVar("T")
Context = ServerRequestContext[Any, Any]

_SLICE_SECONDS = 5.0
_INSTRUCTIONS = (
    f"A person installed these tools. Some wait for their approval of each call; follow it with {STATUS_TOOL}. "
    "What is refused is refused by the person's rules: look for no way around it."
)


class ToolServer:
    """Serves one agent over its pipe."""

    def __init__(self, link: DaemonLink) -> None:
        self._link = link
        self._known: ToolList | None = None
        self._offer = offer(())
        self._told: tuple[Any, ...] | None = None
        self._bus = InMemorySubscriptionBus()
        self._asked = asyncio.Event()
        self._legacy: Any = None

    async def serve(self) -> None:
        """Answer until the pipe is closed."""
        server: Server[Any] = Server(
            "aileron",
            version=VERSION,
            title="Aileron",
            instructions=_INSTRUCTIONS,
            lifespan=self._watching,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=ListenHandler(self._bus),
        )
        options = server.create_initialization_options(NotificationOptions(tools_changed=True))
        async with agent_pipe() as (incoming, outgoing):
            await server.run(incoming, outgoing, options)

    @contextlib.asynccontextmanager
    async def _watching(self, _: Server[Any]) -> AsyncIterator[dict[str, Any]]:
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self._watch())
            try:
                yield {}
            finally:
                watcher.cancel()

    async def _watch(self) -> None:
        await self._asked.wait()  # whoever never asks for tools needs no news of them
        await watch(self._link, self._refresh_and_tell)

    async def _list_tools(self, ctx: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._legacy = ctx.session
        # A daemon that is away leaves the list as it was known; the watcher tells when that has changed.
        with contextlib.suppress(AgentApiError):
            await self._with_session(self._refresh)
        self._told = self._offer.tools
        self._asked.set()
        return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in self._offer.tools])

    async def _refresh(self, client: AgentClient) -> None:
        listed = await client.list_tools(known=self._known)
        if listed is not self._known:
            self._known, self._offer = listed, offer(listed.items)

    async def _refresh_and_tell(self) -> None:
        await self._refresh(await self._link.client())
        if self._offer.tools == self._told:
            return
        self._told = self._offer.tools
        await self._bus.publish(ToolsListChanged())
        if self._legacy is not None:
            with contextlib.suppress(Exception):  # the pipe may just be closing, which its reader will notice
                await self._legacy.send_tool_list_changed()

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        try:
            if params.name == STATUS_TOOL:
                reply = await self._status(ctx, arguments)
            else:
                reply = await self._run(params.name, arguments)
        except AgentApiError as problem:
            reply = told(problem, params.name, self._link.session_id)
        return types.CallToolResult(
            content=_blocks(reply),
            structured_content=dict(reply.structured),
            is_error=reply.failed,
        )

    async def _run(self, tool: str, arguments: dict[str, Any]) -> Reply:
        if tool not in self._offer.names:
            await self._with_session(self._refresh)
        if tool not in self._offer.names:
            names = ", ".join(sorted(self._offer.names)) or "none"
            message = f"There is no tool {tool!r} (any more). Those there are: {names}."
            return texts.trouble(message, failure_class="not_found", retriable=False)

        async def run(client: AgentClient) -> Reply:
            outcome = await client.call(tool, arguments)
            if isinstance(outcome, CallResult):
                return texts.finished(
                    audit_id=outcome.audit_id, result=outcome.result, content=outcome.content, failed=outcome.failed
                )
            return texts.waiting(approval_id=outcome.approval_id, review_url=outcome.review_url)

        return await self._with_session(run)

    async def _status(self, ctx: Context, arguments: dict[str, Any]) -> Reply:
        approval, wait = arguments.get("approval_id"), arguments.get("wait_seconds", 20)
        if not isinstance(approval, str) or isinstance(wait, bool) or not isinstance(wait, int | float):
            message = f"{STATUS_TOOL} takes approval_id, a text, and wait_seconds, a number."
            return texts.trouble(message, failure_class="invalid_arguments", retriable=False)
        left = float(min(max(wait, 0), MAX_WAIT_SECONDS))
        waited = 0.0
        while True:
            part = min(left, _SLICE_SECONDS)

            async def poll(client: AgentClient, seconds: float = part) -> Reply:
                return texts.standing(await client.poll(approval, wait_seconds=seconds))

            reply = await self._with_session(poll)
            left -= part
            waited += part
            if left <= 0 or reply.failed or reply.structured.get("status") not in {"pending", "approved", "running"}:
                return reply
            # Says nothing unless the client sent a token for it.
            await ctx.session.report_progress(waited, waited + left, "Waiting for a person's decision.")

    async def _with_session(self, work: Callable[[AgentClient], Awaitable[T]]) -> T:
        """Do something with a client; with a fresh session, once, if this server's own has ended."""
        try:
            return await work(await self._link.client())
        except AgentApiError as problem:
            if problem.status != 401 or not await self._link.renew():
                raise
        return await work(await self._link.client())


def _blocks(reply: Reply) -> list[types.ContentBlock]:
    """Return a reply in blocks; blocks of a kind that MCP does not know are told as the text they stand for."""
    with contextlib.suppress(ValidationError):
        if reply.content:
            return types.CallToolResult.model_validate({"content": list(reply.content)}).content
    return [types.TextContent(type="text", text=reply.text)]
