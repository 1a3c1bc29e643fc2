"""Server-sent events: approvals that move, and a tool list that changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse

from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.record import Approval
from daemon.execution.toolbox import Toolbox

_LOOK_SECONDS = 1.0
_SILENCE_SECONDS = 15.0


class EventStream(StreamingResponse):
    """A stream of server-sent events."""

    media_type = "text/event-stream"


async def approval_events(feed: ApprovalFeed, *, stopped: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield every approval in its new state, for the person."""
    async with feed.listen() as changes:
        yield b": listening\n\n"
        while not stopped.is_set():
            approval = await _next(changes, _SILENCE_SECONDS, stopped)
            yield b": still here\n\n" if approval is None else _event("approval", approval.as_json())


async def agent_events(
    feed: ApprovalFeed, tools: Toolbox, *, session: str, still_open: Callable[[], bool], stopped: asyncio.Event
) -> AsyncIterator[bytes]:
    """Yield what a session needs to know: its own approvals that were decided, and that the tool list changed."""
    silence = 0.0
    async with feed.listen() as changes, tools.noticing() as list_changed:
        yield b": listening\n\n"
        while still_open() and not stopped.is_set():
            approval = await _next(changes, _LOOK_SECONDS, stopped)
            if approval is not None:
                if approval.session == session:
                    yield _event("approval", {"approval_id": approval.id, "status": approval.state.value})
                continue
            silence += _LOOK_SECONDS
            if list_changed.is_set():
                list_changed.clear()
                silence = 0.0
                yield _event("tools_changed", {})
                yield _event("actions_changed", {})  # the name of it in the version before
            elif silence >= _SILENCE_SECONDS:
                silence = 0.0
                yield b": still here\n\n"


async def _next(changes: asyncio.Queue[Approval], seconds: float, stopped: asyncio.Event) -> Approval | None:
    getting = asyncio.ensure_future(changes.get())
    stopping = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({getting, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()
        stopping.cancel()


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
