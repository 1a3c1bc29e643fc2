"""Listens on this machine for the browser that comes back from a login (RFC 8252), and shows it a small page."""

import asyncio
from collections.abc import Awaitable, Callable

PATH = "/callback"
_MOST_BYTES = 32 * 1024
_SECONDS = 10.0
_MOST_AT_ONCE = 16
_HEAD = (
    "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n"
    "cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n"
    "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
    "connection: close\r\n\r\n"
)
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Aileron</title>'
    "<style>body{{font:16px sans-serif;max-width:32em;margin:20vh auto;padding:0 1em}}</style>"
    "<h1>{title}</h1><p>{text}</p></html>"
)
# Nothing of the request stands in a page, so nobody can write into one.
LOGGED_IN = ("You are logged in.", "You can close this page.")
NOT_LOGGED_IN = ("You are not logged in.", "The terminal where you began says why.")
NOT_EXPECTED = ("This is not expected.", "Open the link of the login that you began.")
Page = tuple[str, str]


class Loopback:
    """One listener for one login; it is closed when the login is over."""

    def __init__(self, on_query: Callable[[str], Awaitable[Page]]) -> None:
        self._on_query = on_query
        self._server: asyncio.Server | None = None
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def open(self, port: int = 0) -> str:
        """Listen, and return the redirect URL; raises OSError if the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_MOST_BYTES)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{PATH}"

    def close(self) -> None:
        """Listen no more. A page that is being sent is sent to its end."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._room.locked():
                return
            async with self._room:
                async with asyncio.timeout(_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                query = _query(head)
                status, page = "404 Not Found", NOT_EXPECTED
                if query is not None:
                    page = await self._on_query(query)
                    status = "200 OK" if page is LOGGED_IN else "400 Bad Request"
                body = _PAGE.format(title=page[0], text=page[1]).encode()
                writer.write(_HEAD.format(status=status, length=len(body)).encode() + body)
                async with asyncio.timeout(_SECONDS):
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever came has gone, or is no browser
        finally:
            writer.close()


def _query(head: bytes) -> str | None:
    """Return the query of a request for our page; None for any other request."""
    verb, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    target, _, version = rest.partition(" ")
    path, _, query = target.partition("?")
    return query if verb == "GET" and path == PATH and version.startswith("HTTP/1.") and query else None
