"""Makes the requests of a login: few, small, slow ones given up, and none that is sent on to another host."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from daemon.connectors.http.urls import Target, UrlError
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import UpstreamError as Broke
from daemon.net.http1.head import HeadError, request_head
from daemon.net.http1.pool import Pool
from daemon.tools.servers.oauth.challenges import Challenge, read_challenge
from daemon.tools.servers.oauth.places import Places, is_here
from daemon.tools.servers.oauth.problems import LoginError, known_code
from daemon.version import VERSION

SECONDS = 15.0
_MOST_BYTES = 256 * 1024
_MOST_REDIRECTS = 3
_MOST_DEPTH = 32
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


class Asker:
    """Asks for one server's login, under the rules for its URLs."""

    def __init__(self, http: Pool, places: Places) -> None:
        self._http = http
        self.places = places

    async def document(self, url: str, what: str) -> Mapping[str, Any]:
        """Return a JSON object; raises LoginError, with its status if the answer is no success."""
        target = self.places.read(url, what)
        for _ in range(_MOST_REDIRECTS + 1):
            status, headers, body = await self._ask("GET", target, {}, b"")
            if not 300 <= status < 400:
                return _object(target, status, body)
            target = _sent_on(target, headers)
        raise LoginError(f"{target.host_port} redirects without end.")

    async def form(self, url: str, fields: Mapping[str, str], *, basic: str | None = None) -> Mapping[str, Any]:
        """Send a form and return the JSON object that it is answered with; raises LoginError."""
        target = self.places.read(url, "The URL of the authorization server")
        headers = {"content-type": _FORM} | ({"authorization": f"Basic {basic}"} if basic is not None else {})
        status, _, body = await self._ask("POST", target, headers, urlencode(fields).encode())
        return _object(target, status, body)

    async def told(self, url: str, fields: Mapping[str, str], *, basic: str | None = None) -> None:
        """Send a form whose answer has no content that is needed; raises LoginError if it is no success."""
        target = self.places.read(url, "The URL of the authorization server")
        headers = {"content-type": _FORM} | ({"authorization": f"Basic {basic}"} if basic is not None else {})
        status, _, _ = await self._ask("POST", target, headers, urlencode(fields).encode())
        if not 200 <= status < 300:
            raise LoginError(f"{target.host_port} answers {status}.", status=status)

    async def posted(self, url: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a JSON object and return the one that it is answered with; raises LoginError."""
        target = self.places.read(url, "The URL of the authorization server")
        status, _, body = await self._ask("POST", target, {"content-type": _JSON}, json.dumps(value).encode())
        return _object(target, status, body)

    async def challenge(self, url: str) -> Challenge:
        """Ask a server without a login and return what it wants of one; an empty challenge if it does not say."""
        headers = {"content-type": _JSON, "accept": f"{_JSON}, text/event-stream"}
        _, said, _ = await self._ask("POST", self.places.read(url, "The URL of the server"), headers, _PING, most=0)
        values = [value.decode("latin-1") for name, value in said if name == b"www-authenticate"]
        return read_challenge(", ".join(values))

    async def _ask(
        self, verb: str, target: Target, own: Mapping[str, str], body: bytes, *, most: int = _MOST_BYTES
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        pairs = {"accept": _JSON, "accept-encoding": "identity", "user-agent": f"aileron/{VERSION}", **own}
        framing = b"content-length: %d" % len(body) if verb == "POST" else b""
        try:
            encoded = [(name.encode(), value.encode("ascii")) for name, value in pairs.items()]
            path = (target.path + target.query).encode("ascii")
            head = request_head(verb, path, target.authority.encode("ascii"), encoded, framing)
        except (UnicodeEncodeError, HeadError) as error:
            raise LoginError(f"The request to {target.host_port} cannot be written.") from error
        try:
            async with asyncio.timeout(SECONDS):
                # A name that resolves to this machine is refused by the pool; only a URL that says so is let through,
                # and the places allow that for a server on this machine alone.
                connection = await self._http.dial(target.origin, private_allowed=is_here(target))
                try:
                    connection.begin(verb, head + body)
                    await connection.head()
                    return connection.status, connection.headers, await _body(connection, target, most)
                finally:
                    connection.abort()
        except TimeoutError as error:
            raise LoginError(f"{target.host_port} did not answer in {SECONDS:g} s.") from error
        except Broke as error:
            raise LoginError(str(error)) from error


async def _body(connection: Connection, target: Target, most: int) -> bytes:
    pieces, size, last = [], 0, not most
    while not last:
        piece, last = await connection.read()
        size += len(piece)
        if size > most:
            raise LoginError(f"The answer of {target.host_port} is longer than {most} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


def _sent_on(target: Target, headers: list[tuple[bytes, bytes]]) -> Target:
    location = next((value.decode("latin-1") for name, value in headers if name == b"location"), "")
    try:
        found = target.join(location)
    except UrlError as error:
        raise LoginError(f"{target.host_port} redirects to a place whose URL {error}.") from error
    if not found.same_origin(target):
        raise LoginError(f"{target.host_port} redirects to {found.host_port}, which is not followed.")
    return found


def _object(target: Target, status: int, body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not 200 <= status < 300:
        code = known_code(found.get("error")) if isinstance(found, dict) else None
        said = f" and the error {code}" if code is not None else ""
        raise LoginError(
            f"{target.host_port} answers with the status {status}{said}.",
            code=code,
            status=status,
        )
    if not isinstance(found, dict) or _too_deep(found, _MOST_DEPTH):
        raise LoginError(f"What {target.host_port} answered is no JSON object.")
    return found


def _too_deep(value: object, left: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left == 0 or any(_too_deep(each, left - 1) for each in inner)
