"""A way into the agent API from inside of the daemon, for what is served to an agent through it: no socket, no door.

Whoever comes this way stands for an agent whose token the door has checked, and is let in as that agent.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp, Message

from daemon.api.principals import let_in
from daemon.core.principal import Principal
from daemon.sessions.tokens import TokenClaims


class Inside(httpx.AsyncBaseTransport):
    """Carries requests to an app as they come, and answers as they are made."""

    def __init__(self, app: ASGIApp, *, claims: TokenClaims, bearer: Principal) -> None:
        self._app = app
        self._claims = claims
        self._bearer = bearer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request; closing its answer is hanging up."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": None,
            "aileron.claims": self._claims,
        }
        let_in(scope, self._bearer)
        exchange = _Exchange(await request.aread())
        exchange.task = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        exchange.task.add_done_callback(exchange.over)
        return await exchange.answer()


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer, which is also the stream of the answer's body."""

    def __init__(self, body: bytes) -> None:
        self.task: asyncio.Future[None]
        self._ending: asyncio.Future[None] | None = None
        self._body: bytes | None = body
        self._gone = asyncio.Event()
        self._begun: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=8)

    async def receive(self) -> Message:
        """Return the request, and then that the caller has gone once it has."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer. What comes after the caller has gone is for nobody."""
        if message["type"] == "http.response.start":
            self._begun.set_result(message)
        elif message["type"] == "http.response.body" and not self._gone.is_set():
            if message.get("body"):
                await self._parts.put(message["body"])
            if not message.get("more_body", False):
                await self._parts.put(None)

    def over(self, task: "asyncio.Future[None]") -> None:
        """End the body, also of an answer that broke off; the app has told its own report of that."""
        if not task.cancelled():
            task.exception()
        self._ending = asyncio.ensure_future(self._parts.put(None))

    async def answer(self) -> httpx.Response:
        """Return the answer once it has begun."""
        try:
            await asyncio.wait((self._begun, self.task), return_when=asyncio.FIRST_COMPLETED)
            if not self._begun.done():
                await self.task
                raise httpx.RemoteProtocolError("the agent API gave no answer")
        except BaseException:
            await self.aclose()
            raise
        begun = self._begun.result()
        return httpx.Response(begun["status"], headers=begun["headers"], stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body."""
        while (part := await self._parts.get()) is not None:
            yield part

    async def aclose(self) -> None:
        """Hang up."""
        self._gone.set()
        while not self._parts.empty():
            self._parts.get_nowait()  # a sender that waits for room goes on, and hears of it
