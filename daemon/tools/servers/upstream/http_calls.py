"""Single HTTP requests to one server: where they may go, what headers they have, and who let them in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address

from daemon.base.tasks import TaskSet
from daemon.connectors.http.urls import Target, UrlError, parse_url
from daemon.core.authority import Origin
from daemon.net.http1.connection import Connection
from daemon.net.http1.errors import Unreachable
from daemon.net.http1.errors import UpstreamError as Broke
from daemon.net.http1.head import HeadError, request_head
from daemon.net.http1.pool import Pool
from daemon.tools.servers.upstream.seam import Trouble, UpstreamError
from daemon.tools.servers.upstream.statuses import header, problem_of
from daemon.tools.servers.upstream.transport import Authorisation, Outgoing
from daemon.version import VERSION

_LONGEST = 86400.0
"""The connection's own limit; how long a request may take is decided above."""
_MOST_REDIRECTS = 3
_TAIL_SECONDS = 1.0
_REPEATED = frozenset({307, 308})
_OURS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"),
        *("accept", "accept-encoding", "content-type", "last-event-id"),
        *("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"),
    }
)


class HttpCalls:
    """Makes requests to one URL.

    A private address or this machine is reached only if the URL says it itself (`http://127.0.0.1:8080`, or
    `localhost`). A name that merely resolves to such an address may have been changed by whoever owns the name; for a
    name of the person's own network there is the setting `network.allow_private`.
    """

    def __init__(self, url: str, headers: Mapping[str, str], http: Pool, authorisation: Authorisation | None) -> None:
        try:
            self._target = parse_url(url)
        except UrlError as error:
            raise UpstreamError(Trouble.NOT_STARTED, f"The URL of the server {error}.") from error
        self._private_allowed = _says_its_address(self._target.host)
        self._given = [(name, value) for name, value in headers.items() if name.lower() not in _OURS]
        self._http = http
        self._authorisation = authorisation
        self._tails = TaskSet()
        self._busy: set[Connection] = set()
        self._closed = False

    @property
    def where(self) -> str:
        """Return the host and port, for messages: the rest of the URL may hold a secret."""
        return str(self._target.host_port)

    @asynccontextmanager
    async def made(
        self, verb: str, own: Mapping[str, str], body: bytes, outgoing: Outgoing
    ) -> AsyncIterator[Connection]:
        """Make a request, and give the connection on which its answer is coming; raises UpstreamError.

        A request that is refused for its login is made once more if the login can be mended, and one that is sent on
        to another path of the same server is made there. In both cases the server has not taken it.
        """
        connection = await self._accepted(verb, own, body, outgoing)
        try:
            yield connection
        except Broke as error:
            connection.abort()
            raise UpstreamError(Trouble.LOST, str(error)) from error
        except BaseException:
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)
        if connection.is_complete:
            connection.release()
            return
        # The end of a stream usually comes right behind the last event; the caller does not wait for it.
        self._tails.start(_finish(connection), name="server-answer-end")

    async def close(self) -> None:
        """Break off every request that is under way; none can be made any more."""
        self._closed = True
        for connection in self._busy:
            connection.abort()
        await self._tails.close()

    async def _accepted(self, verb: str, own: Mapping[str, str], body: bytes, outgoing: Outgoing) -> Connection:
        mended = False
        for _ in range(_MOST_REDIRECTS + 2):
            connection = await self._sent(verb, own, body, outgoing)
            status, headers = connection.status, connection.headers
            redirected, challenge = 300 <= status < 400, header(headers, b"www-authenticate")
            # A 403 without a challenge is about what was asked, and not about who asked.
            refused = (status == 401 or (status == 403 and challenge is not None)) and not mended
            if not redirected and not (refused and self._authorisation is not None):
                return self._readable(connection)
            self._give_up(connection)
            outgoing.left = False
            if redirected:
                self._follow(status, header(headers, b"location"))
            elif self._authorisation is not None and await self._authorisation.refused(challenge or ""):
                mended = True
            else:
                raise problem_of(self.where, status, headers)
        raise UpstreamError(Trouble.REFUSED, f"{self.where} redirects without end.")

    async def _sent(self, verb: str, own: Mapping[str, str], body: bytes, outgoing: Outgoing) -> Connection:
        attached = await self._authorisation.headers() if self._authorisation is not None else {}
        head = self._head(verb, own, attached, body)
        origin = Origin(self._target.scheme, self._target.host_port)
        try:
            connection = await self._http.take(origin, private_allowed=self._private_allowed)
        except Unreachable as error:
            raise UpstreamError(Trouble.NOT_REACHED, str(error)) from error
        if self._closed:
            connection.abort()
            raise UpstreamError(Trouble.NOT_REACHED, f"The connection to {self.where} was closed.")
        outgoing.left = True
        self._busy.add(connection)
        try:
            connection.begin(verb, head + body)
            await connection.head(seconds=_LONGEST)
        except BaseException as error:
            self._give_up(connection)
            if isinstance(error, Broke):
                raise UpstreamError(Trouble.LOST, str(error)) from error
            raise
        return connection

    def _give_up(self, connection: Connection) -> None:
        self._busy.discard(connection)
        connection.abort()

    def _head(self, verb: str, own: Mapping[str, str], attached: Mapping[str, str], body: bytes) -> bytes:
        replaced = {name.lower() for name in attached}
        pairs = [(name, value) for name, value in self._given if name.lower() not in replaced]
        if not any(name.lower() == "user-agent" for name, _ in pairs):
            pairs.append(("user-agent", f"aileron/{VERSION}"))
        pairs += [*attached.items(), *own.items(), ("accept-encoding", "identity")]
        framing = b"content-length: %d" % len(body) if verb == "POST" else b""
        try:
            encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in pairs]
            path = (self._target.path + self._target.query).encode("ascii")
            return request_head(verb, path, _host(self._target), encoded, framing)
        except (UnicodeEncodeError, HeadError) as error:
            message = f"A header for {self.where} holds a character that no header may have; see its configuration."
            raise UpstreamError(Trouble.NOT_REACHED, message) from error

    def _readable(self, connection: Connection) -> Connection:
        if (header(connection.headers, b"content-encoding") or "identity").lower() != "identity":
            self._give_up(connection)
            message = f"The answer of {self.where} is compressed, which was not asked for."
            raise UpstreamError(Trouble.MALFORMED, message)
        return connection

    def _follow(self, status: int, location: str | None) -> None:
        try:
            target = self._target.join(location or "")
        except UrlError as error:
            raise UpstreamError(Trouble.REFUSED, f"{self.where} redirects to a place whose URL {error}.") from error
        shown = f"{target.scheme}://{target.host_port}{target.path}"
        if status not in _REPEATED or not target.same_origin(self._target):
            message = f"{self.where} redirects to {shown}, which is not followed. If that is right, use it as the URL."
            raise UpstreamError(Trouble.REFUSED, message, code=status)
        self._target = target


async def whole_body(connection: Connection, limit: int) -> bytes:
    """Read the body of an answer; raises UpstreamError with MALFORMED for one that is too long."""
    pieces, size = [], 0
    last = False
    while not last:
        piece, last = await connection.read()
        size += len(piece)
        if size > limit:
            raise UpstreamError(Trouble.MALFORMED, f"The answer is longer than {limit} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


async def _finish(connection: Connection) -> None:
    """Read what is left of an answer that is not needed any more, so that its connection can be kept."""
    try:
        async with asyncio.timeout(_TAIL_SECONDS):
            while not (await connection.read())[1]:
                pass
        connection.release()
    except (Broke, TimeoutError):
        connection.abort()
    except BaseException:
        connection.abort()
        raise


def _says_its_address(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(target: Target) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"http": 80, "https": 443}[target.scheme]
    port = "" if target.host_port.port == usual else f":{target.host_port.port}"
    return f"{host}{port}".encode("ascii")
