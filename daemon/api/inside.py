"""A way into the agent API from inside of the daemon, for what is served to an agent through it: no socket, no door.

Whoever comes this way stands for an agent whose token the door has checked, and is let in as that agent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from aileron_mcp.exchange import BrokenOff
from daemon.api.capabilities import note_claims
from daemon.api.principals import let_in
from daemon.core.principal import Principal
from daemon.sessions.tokens import TokenClaims


class Inside:
    """Carries requests to an app as they come, and answers as they are made."""

    def __init__(self, app: ASGIApp, *, claims: TokenClaims, bearer: Principal) -> None:
        self._app = app
        self._claims = claims
        self._bearer = bearer

    @contextlib.asynccontextmanager
    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes = b"", silence: float | None = None
    ) -> "AsyncIterator[_Exchange]":
        """Make one request; leaving the context is hanging up. Silence means nothing here: nobody can be cut off."""
        del silence
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(plain),
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "server": ("inside", 80),
            "client": None,
        }
        note_claims(scope, self._claims)
        let_in(scope, self._bearer)
        exchange = _Exchange(content)
        exchange.task = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        exchange.task.add_done_callback(exchange.over)
        try:
            await exchange.begun()
            yield exchange
        finally:
            exchange.hang_up()

    def send_at_once(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes, told: Callable[[], None]
    ) -> None:
        """Send nothing: the app runs in a task, which must be waited for."""

    async def aclose(self) -> None:
        """Close nothing: each request ends by itself."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, body: bytes) -> None:
        self.task: asyncio.Future[None]
        self.status = 0
        self.headers: dict[str, str] = {}
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

    async def begun(self) -> None:
        """Wait for the head of the answer."""
        await asyncio.wait((self._begun, self.task), return_when=asyncio.FIRST_COMPLETED)
        if not self._begun.done():
            await self.task
            raise BrokenOff("the agent API gave no answer")
        begun = self._begun.result()
        self.status = begun["status"]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in begun["headers"]}

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        while (part := await self._parts.get()) is not None:
            yield part

    async def whole(self) -> bytes:
        """Return the body when it is whole."""
        return b"".join([part async for part in self.parts()])

    def hang_up(self) -> None:
        """Let the app know that nobody listens any more."""
        self._gone.set()
        while not self._parts.empty():
            self._parts.get_nowait()  # a sender that waits for room goes on, and hears of it
