"""An authorization server and a server that names it; what they say can be changed bit by bit to stage attacks."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass
class Asked:
    """One request that came."""

    verb: str
    path: str
    query: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body).items()}


@dataclass
class Answer:
    """One answer that is sent: JSON unless it is bytes."""

    value: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class LyingServer:
    """Serves documents by their path. `answers` maps a path to an Answer, or to a function of what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.origin = ""

    def honest(self) -> None:
        """Say the truth everywhere."""
        self.resource: dict[str, Any] = {"resource": f"{self.origin}/mcp", "authorization_servers": [self.origin]}
        self.metadata: dict[str, Any] = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "device_authorization_endpoint": f"{self.origin}/device",
            "revocation_endpoint": f"{self.origin}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.token: dict[str, Any] = {
            "access_token": "sentinel-access-1",
            "refresh_token": "sentinel-refresh-1",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        self.challenge = 'Bearer scope="read"'
        self.answers = {
            "/mcp": lambda _: Answer({}, 401, {"www-authenticate": self.challenge} if self.challenge else {}),
            "/.well-known/oauth-protected-resource/mcp": lambda _: Answer(self.resource),
            "/.well-known/oauth-authorization-server": lambda _: Answer(self.metadata),
            "/token": lambda _: Answer(self.token),
            "/register": lambda asked: Answer({**json.loads(asked.body), "client_id": "registered"}, 201),
            "/revoke": Answer({}),
        }

    def paths(self) -> list[str]:
        """Return what was asked for, in order."""
        return [asked.path for asked in self.asked]

    def forms(self, path: str) -> list[dict[str, str]]:
        """Return the forms that were sent to a path."""
        return [asked.form for asked in self.asked if asked.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            verb, target, _ = first.split(" ")
            path, _, query = target.partition("?")
            asked = Asked(verb, path, query, headers, body.decode())
            self.asked.append(asked)
            found = self.answers.get(path, Answer({}, 404))
            answer = found if isinstance(found, Answer) else found(asked)
            await asyncio.sleep(answer.seconds)
            raw = answer.value if isinstance(answer.value, bytes) else json.dumps(answer.value).encode()
            more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            writer.write(f"HTTP/1.1 {answer.status} X\r\ncontent-length: {len(raw)}\r\n{more}\r\n".encode() + raw)
            await writer.drain()


@contextlib.asynccontextmanager
async def lying() -> AsyncIterator[LyingServer]:
    """Start one on this machine; it is honest at first."""
    made = LyingServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    made.honest()
    try:
        yield made
    finally:
        server.close()
        for task in list(made.tasks):
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
