"""The conversation between the daemon and the first process of a container, in front of the agent API.

The first process opens the lifeline and reads words from it: `probe` (look at the network now), `go` (start the agent),
and then `still` every ten seconds. When the lifeline breaks, the daemon is gone and the first process ends.
"""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.sandbox.sandbox import Sandbox

_LIFELINE = "/v1/sandbox/lifeline"
_REPORT = "/v1/sandbox/report"
_MAX_REPORT = 65536


class SandboxFront:
    """An ASGI app that answers the first process, and hands every other request to the agent API."""

    def __init__(self, sandbox: Sandbox, app: ASGIApp) -> None:
        self._sandbox = sandbox
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] not in {_LIFELINE, _REPORT}:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        sandbox = self._sandbox
        if request.headers.get("authorization", "") != f"Bearer {sandbox.token}" or sandbox.ending.is_set():
            return PlainTextResponse("This is not for you.", status_code=403)
        if request.url.path == _LIFELINE:
            # Only once: a later caller is the agent, which has the same token and must not take part.
            if sandbox.connected.is_set():
                return PlainTextResponse("The lifeline is taken.", status_code=409)
            sandbox.connected.set()
            return StreamingResponse(self._words(), media_type="text/plain")
        if request.method != "POST" or sandbox.report.done() or not sandbox.may_probe.is_set():
            return PlainTextResponse("No report is waited for.", status_code=409)
        report = await _read(request)
        if report is None:
            return PlainTextResponse("The report is not one.", status_code=400)
        if not sandbox.report.done():
            sandbox.report.set_result(report)
        return Response(status_code=204)

    async def _words(self) -> Any:
        sandbox = self._sandbox
        for event, word in ((sandbox.may_probe, b"probe\n"), (sandbox.may_start, b"go\n")):
            if not await _first(event, sandbox.ending):
                return
            yield word
        while not await _first(sandbox.ending, None, seconds=10.0):
            yield b"still\n"


async def _first(event: asyncio.Event, other: asyncio.Event | None, *, seconds: float | None = None) -> bool:
    """Wait for an event; say whether it came before the other one and in time."""
    waits = [asyncio.ensure_future(each.wait()) for each in (event, other) if each is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return event.is_set() and not (other is not None and other.is_set())


async def _read(request: Request) -> dict[str, Any] | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_REPORT:
            return None
    try:
        report = json.loads(body)
    except ValueError:
        return None
    return report if isinstance(report, dict) else None
