"""A stand-in for the services that connectors call: a real server on a socket that misbehaves when told to.

In a test of async code, in the same process:

    async with Upstream(tls=True) as up:
        up.behave("/messages", status=503, retry_after=1, times=1)
        ...                                   # call up.url + "/messages", trusting up.ca_file
        assert up.requests[0].headers["authorization"] == "Bearer ..."

In a sync test, or for a daemon in another process, with the same words over a control port:

    with UpstreamProcess(tls=True) as up:
        up.behave("/messages", delay=2)

By hand: `python tests/services/upstream.py --port 8443 --tls`. It prints one line of JSON that says where it listens.
A path that was told nothing answers 200 with a JSON echo of the request.
"""

import argparse
import asyncio
import base64
import contextlib
import gzip
import json
import os
import select
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from processes import Process

Reset = Literal["before_body", "after_body", "after_head"]


@dataclass(frozen=True)
class Behaviour:
    """How one path answers; the fields combine."""

    status: int = 200
    body: str = ""
    json: Any = None  # instead of body
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the answer's head
    size: int = 0  # a body of that many bytes, instead of body
    chunked: bool = False  # no content-length
    drip: float = 0.0  # seconds between single bytes of the body
    redirect: str = ""  # Location; the status becomes 302 unless it is a redirect already
    retry_after: str = ""
    reset: Reset | None = None  # drop the connection: before or after reading the body, or after half the answer
    truncate: bool = False  # promise ten bytes more than are sent
    gzip: bool = False
    echo: bool = False  # a JSON echo of the request as the body
    times: int = 0  # how many requests it is for; 0 is for ever


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names in lower case, repeated ones joined with commas."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class TestAuthority:
    """A certificate authority of its own that issues one server certificate for the given names."""

    __test__ = False  # its name would have pytest take it for a test class

    def __init__(self, directory: Path, names: tuple[str, ...]) -> None:
        self.ca_file = directory / "ca.pem"
        self._chain = directory / "server.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Upstream test authority")])
        ca = self._sign(subject, subject, key, key, ca=True, names=())
        server_key = ec.generate_private_key(ec.SECP256R1())
        server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        server = self._sign(server_name, subject, server_key, key, ca=False, names=names)
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self._chain.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + server.public_bytes(serialization.Encoding.PEM)
        )

    def server_context(self) -> ssl.SSLContext:
        """Return the context a server listens with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain)
        return context

    @staticmethod
    def _sign(
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        names: tuple[str, ...],
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative_name(name) for name in names]), critical=False
            )
        return builder.sign(signer, hashes.SHA256())


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Upstream:
    """The server itself, in the caller's event loop."""

    def __init__(
        self,
        *,
        tls: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1"),
        public_name: str = "",
    ) -> None:
        self.tls = tls
        self.host = host
        self.port = port
        self.requests: list[Received] = []
        self.connections = 0
        self.server_names: list[str] = []  # what each TLS client asked for by name
        self._names = (*names, public_name) if public_name else names
        self._public_name = public_name or (f"[{host}]" if ":" in host else host)
        self._behaviours: dict[str, list[Behaviour]] = {}
        self._resets = 0
        self._stopping = asyncio.Event()
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._authority: TestAuthority | None = None
        self._web: web.Server | None = None
        self._server: asyncio.Server | None = None

    @property
    def host_port(self) -> str:
        """host:port as a manifest names it."""
        return f"{self._public_name}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the root, without the final slash."""
        return f"{'https' if self.tls else 'http'}://{self.host_port}"

    @property
    def ca_file(self) -> Path:
        """The certificate to trust; only with tls."""
        if self._authority is None:
            raise RuntimeError("this upstream speaks plain HTTP; make it with tls=True")
        return self._authority.ca_file

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; port 0 takes a free one."""
        self._stopping.clear()
        context = None
        if self.tls:
            self._directory = tempfile.TemporaryDirectory(prefix="upstream-")
            self._authority = TestAuthority(Path(self._directory.name), self._names)
            context = self._authority.server_context()
            context.sni_callback = lambda _socket, name, _context: self.server_names.append(name or "")
        self._web = web.Server(self._answer, access_log=None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, self.port, ssl=context, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        self._stopping.set()
        if self._server is not None:
            self._server.close()
        if self._web is not None:
            await self._web.shutdown(0)
        if self._server is not None:
            await self._server.wait_closed()
        if self._directory is not None:
            self._directory.cleanup()
        self._server = self._web = self._directory = None

    def behave(self, path: str, **how: Any) -> None:
        """Tell how a path answers; several with `times` are used up in order, one without stays."""
        kept = self._behaviours.setdefault(path, [])
        if kept and not kept[-1].times:
            kept.pop()  # the newer word on what it does for ever
        kept.append(Behaviour(**how))

    def forget(self) -> None:
        """Drop what was received and what was told."""
        self.requests.clear()
        self._behaviours.clear()
        self._resets = 0

    def reset_connections(self, count: int) -> None:
        """Drop the next connections as soon as they stand, before anything is read."""
        self._resets += count

    def seen(self, path: str) -> list[Received]:
        """Return the requests for one path."""
        return [request for request in self.requests if request.path == path]

    def _protocol(self) -> asyncio.BaseProtocol:
        assert self._web is not None
        self.connections += 1
        if self._resets > 0:
            self._resets -= 1
            return _Dropping()
        return self._web()

    def _next(self, path: str) -> Behaviour:
        kept = self._behaviours.get(path)
        if not kept:
            return Behaviour(echo=True)
        now = kept[0]
        if now.times == 1:
            kept.pop(0)
        elif now.times > 1:
            kept[0] = replace(now, times=now.times - 1)
        return now

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")  # as it came over the wire, not decoded
        behaviour = self._next(path)
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        early = behaviour.reset == "before_body"
        body = b"" if early else await self._read(request)
        received = Received(request.method, path, query, headers, body, str(request.remote))
        self.requests.append(received)
        if behaviour.reset in {"before_body", "after_body"}:
            return _drop(request)
        if behaviour.delay:
            with contextlib.suppress(TimeoutError):  # stopping ends the wait
                await asyncio.wait_for(self._stopping.wait(), behaviour.delay)
        return await self._respond(request, behaviour, received)

    async def _read(self, request: web.BaseRequest) -> bytes:
        return b"".join([piece async for piece in request.content.iter_any()])

    async def _respond(self, request: web.BaseRequest, behaviour: Behaviour, received: Received) -> web.StreamResponse:
        headers = dict(behaviour.headers)
        status, body = behaviour.status, _body_of(behaviour, received, headers)
        if behaviour.redirect:
            headers["Location"] = behaviour.redirect
            status = status if 300 <= status < 400 else 302
        if behaviour.retry_after:
            headers["Retry-After"] = str(behaviour.retry_after)
        if behaviour.gzip:
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        plain = not (behaviour.chunked or behaviour.drip or behaviour.truncate or behaviour.reset)
        if plain:
            return web.Response(status=status, body=body, headers=headers)
        response = web.StreamResponse(status=status, headers=headers)
        if behaviour.truncate:
            response.content_length = len(body) + 10
        elif not behaviour.chunked:
            response.content_length = len(body)
        await response.prepare(request)
        if behaviour.reset == "after_head":
            await response.write(body[: len(body) // 2])
            await asyncio.sleep(0.05)
            return _drop(request)
        for start in range(0, len(body), 1 if behaviour.drip else 65536):
            await response.write(body[start : start + (1 if behaviour.drip else 65536)])
            if behaviour.drip:
                await asyncio.sleep(behaviour.drip)
        if behaviour.truncate:
            await asyncio.sleep(0.05)
            if request.transport is not None:
                request.transport.close()
            return response
        await response.write_eof()
        return response


def _body_of(behaviour: Behaviour, received: Received, headers: dict[str, str]) -> bytes:
    if behaviour.echo:
        headers.setdefault("Content-Type", "application/json")
        return json.dumps(_received_json(received)).encode()
    if behaviour.json is not None:
        headers.setdefault("Content-Type", "application/json")
        return json.dumps(behaviour.json).encode()
    return b"x" * behaviour.size if behaviour.size else behaviour.body.encode()


def _received_json(received: Received) -> dict[str, Any]:
    shown = asdict(received)
    try:
        shown["body"] = received.body.decode()
    except UnicodeDecodeError:
        del shown["body"]
        shown["body_base64"] = base64.b64encode(received.body).decode()
    return shown


def _drop(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class _Dropping(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class _Control:
    """The upstream's words over HTTP, on a port of their own."""

    def __init__(self, upstream: Upstream, stop: Callable[[], None]) -> None:
        self._upstream = upstream
        self._stop = stop

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        given = json.loads(await request.read() or b"{}")
        match (request.method, request.path):
            case ("GET", "/requests"):
                return web.json_response([_received_json(received) for received in self._upstream.requests])
            case ("POST", "/behave"):
                self._upstream.behave(given.pop("path"), **given)
            case ("POST", "/forget"):
                self._upstream.forget()
            case ("POST", "/reset-connections"):
                self._upstream.reset_connections(given["count"])
            case ("POST", "/stop"):
                self._stop()
            case _:
                return web.json_response({"error": "no such word"}, status=404)
        return web.json_response({})


class UpstreamProcess:
    """The same server in a process of its own, for sync tests and for daemons that outlive a loop."""

    def __init__(self, *, tls: bool = False, host: str = "127.0.0.1", port: int = 0, public_name: str = "") -> None:
        self.tls = tls
        self.host = host
        self._arguments = ["--host", host, "--port", str(port), "--public-name", public_name]
        self._process: Process | None = None
        self._place: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it listens."""
        from processes import start_process  # this file is also run by itself, where it finds nothing beside it

        arguments = [*self._arguments, *(["--tls"] if self.tls else [])]
        said, theirs = os.pipe()
        with os.fdopen(said) as words:
            try:
                self._process = start_process(
                    "tests.services.upstream", arguments, environment=os.environ, output=theirs, errors_too=False
                )
            finally:
                os.close(theirs)
            ready, _, _ = select.select([words], [], [], 20)
            line = words.readline() if ready else ""
        if not line:
            self.stop()
            raise RuntimeError("the upstream process did not start; its own words are on stderr")
        self._place = json.loads(line)

    def stop(self) -> None:
        """End the process and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._place["port"])

    @property
    def host_port(self) -> str:
        """host:port as a manifest names it."""
        return str(self._place["host_port"])

    @property
    def url(self) -> str:
        """The URL of the root, without the final slash."""
        return str(self._place["url"])

    @property
    def ca_file(self) -> Path:
        """The certificate to trust; only with tls."""
        return Path(self._place["ca_file"])

    @property
    def requests(self) -> list[Received]:
        """What it has received so far."""
        received = []
        for shown in self._ask("GET", "/requests"):
            encoded = shown.pop("body_base64", None)
            body = base64.b64decode(encoded) if encoded is not None else shown.pop("body").encode()
            received.append(Received(**{**shown, "body": body}))
        return received

    def seen(self, path: str) -> list[Received]:
        """Return the requests for one path."""
        return [request for request in self.requests if request.path == path]

    def wait_for(self, count: int, *, path: str | None = None, seconds: float = 10.0) -> list[Received]:
        """Return the requests as soon as there are that many; raise TimeoutError otherwise."""
        end = time.monotonic() + seconds
        while True:
            found = self.requests if path is None else self.seen(path)
            if len(found) >= count:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} requests arrived in {seconds} s")
            time.sleep(0.02)

    def behave(self, path: str, **how: Any) -> None:
        """Tell how a path answers; see Behaviour."""
        self._ask("POST", "/behave", {"path": path, **how})

    def forget(self) -> None:
        """Drop what was received and what was told."""
        self._ask("POST", "/forget")

    def reset_connections(self, count: int) -> None:
        """Drop the next connections before anything is read."""
        self._ask("POST", "/reset-connections", {"count": count})

    def _ask(self, method: str, path: str, what: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._place['control_port']}{path}",
            method=method,
            data=None if what is None else json.dumps(what).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            return json.load(response)


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with Upstream(
        tls=arguments.tls, host=arguments.host, port=arguments.port, public_name=arguments.public_name
    ) as upstream:
        control = web.Server(_Control(upstream, stopped.set), access_log=None)
        server = await loop.create_server(control, "127.0.0.1", arguments.control_port)
        place = {
            "url": upstream.url,
            "host_port": upstream.host_port,
            "port": upstream.port,
            "control_port": server.sockets[0].getsockname()[1],
            "ca_file": str(upstream.ca_file) if upstream.tls else None,
        }
        print(json.dumps(place), flush=True)
        await stopped.wait()
        server.close()
        await control.shutdown(0)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="A stand-in for the services that connectors call.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--public-name", default="", help="the name in URLs and in the certificate")
    parser.add_argument("--tls", action="store_true")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
