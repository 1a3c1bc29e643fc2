"""Stands between the official conformance suite and `/mcp`: it has the token, and takes the server's name off of names.

The suite sends no token, and asks for tools and prompts of a server by their bare names.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

PREFIX = "ref__"
_NAMED = frozenset({"tools/call", "prompts/get"})
_DROPPED = frozenset({"content-length", "transfer-encoding", "connection", "accept-encoding"})


def door(agent_url: str, token: str) -> Starlette:
    """Return it for one daemon and one session."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=agent_url, trust_env=False, timeout=60) as http:
            app.state.http = http
            yield

    async def pass_on(request: Request) -> StreamingResponse:
        headers = {name: value.strip() for name, value in request.headers.items() if name not in _DROPPED}
        headers["authorization"] = f"Bearer {token}"
        if headers.get("host") == request.url.netloc and request.url.hostname == "127.0.0.1":
            headers["host"] = agent_url.removeprefix("http://")
            if headers.get("origin", "").startswith("http://127.0.0.1"):
                del headers["origin"]  # the suite's own origin, which stands for none
        if headers.get("mcp-method") in _NAMED and "mcp-name" in headers:
            headers["mcp-name"] = PREFIX + headers["mcp-name"]
        sent = request.app.state.http.build_request(
            request.method, "/mcp", headers=headers, content=_prefixed(await request.body())
        )
        answer = await request.app.state.http.send(sent, stream=True)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for line in answer.aiter_lines():
                    yield (_bare(line) + "\n").encode()
            finally:
                await answer.aclose()

        kept = {name: value for name, value in answer.headers.items() if name not in _DROPPED}
        return StreamingResponse(body(), status_code=answer.status_code, headers=kept)

    route = Route("/mcp", pass_on, methods=["GET", "POST", "DELETE"])
    return Starlette(routes=[route], lifespan=lifespan)


def _prefixed(raw: bytes) -> bytes:
    try:
        message: Any = json.loads(raw)
        params = message["params"]
        if message["method"] in _NAMED:
            params["name"] = PREFIX + params["name"]
        elif message["method"] == "completion/complete" and params["ref"].get("type") == "ref/prompt":
            params["ref"]["name"] = PREFIX + params["ref"]["name"]
        else:
            return raw
    except (ValueError, KeyError, TypeError):
        return raw
    return json.dumps(message).encode()


def _bare(line: str) -> str:
    return re.sub(rf'"{PREFIX}', '"', line)
