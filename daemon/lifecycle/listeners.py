"""The two listeners: loopback sockets of our own, served by one loop, without signal handlers of the server's."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from daemon.base.whole import taker
from daemon.lifecycle.acceptor import Acceptor
from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.connection import BoundedConnection
from daemon.lifecycle.lobby import Lobby

_BACKLOG = 2048
_GRACE_SECONDS = 5


class ListenError(Exception):
    """A listener cannot be opened; the message says why and what to do."""


class _Server(uvicorn.Server):
    """Uvicorn's way from requests to the app and back; how connections come in is ours."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, bounds: ListenerBounds) -> None:
        super().__init__(config)
        self._listening = listening
        self._bounds = bounds
        self._ending = asyncio.Event()
        self._takes = taker(config.app)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - it has its own
        """Begin to accept."""
        await self.lifespan.startup()
        context = self.config.ssl
        acceptor = Acceptor(self._listening, bounds=self._bounds, context=context, make=self._connection)
        self.servers = [acceptor]  # type: ignore[list-item]  # it is asked to close, and whether it has
        self.started = True

    async def main_loop(self) -> None:
        """Wait for the end. Uvicorn's own loop wakes up ten times a second, for a header with the time."""
        await self._ending.wait()

    def end(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._ending.set()

    def _connection(self, accepted: socket.socket, lobby: Lobby) -> BoundedConnection:
        return BoundedConnection(
            accepted,
            config=self.config,
            server_state=self.server_state,
            lobby=lobby,
            bounds=self._bounds,
            takes=self._takes,
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that owns both servers."""
        yield


class Listener:
    """One app on one port of one address; on loopback, and in plain HTTP, if nothing else is said.

    A path in place of the address is a socket in a folder, to which everybody may connect who gets into the folder.
    """

    def __init__(
        self,
        *,
        port: int,
        bounds: ListenerBounds,
        host: str | Path = "127.0.0.1",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self._host = host
        self._bounds = bounds
        self._certificate = certificate
        try:
            self._socket = _socket_in(host) if isinstance(host, Path) else _socket_on(host, port)
        except OSError as problem:
            place = host if isinstance(host, Path) else f"Port {port} of {host}"
            raise ListenError(
                f"{place} is in use or not ours to take ({problem.strerror}). Set another in the "
                "section [daemon] of config.toml, or 0 to let the system pick one."
            ) from problem
        self._socket.listen(_BACKLOG)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Return where the app can be reached."""
        return f"{'http' if self._certificate is None else 'https'}://{self._host}:{self.port}"

    async def start(self, app: ASGIApp) -> None:
        """Begin to serve, and return when requests are answered."""
        configuration = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,  # what a model provider says of the time goes through as it is
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            backlog=_BACKLOG,
            ssl_certfile=None if self._certificate is None else self._certificate[0],
            ssl_keyfile=None if self._certificate is None else self._certificate[1],
        )
        self._server = _Server(configuration, self._socket, self._bounds)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the listener ended before it had begun")
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Take no more connections, let the requests under way end, and close."""
        if self._server is not None and self._serving is not None:
            self._server.end()
            await self._serving
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _socket_on(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _socket_in(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        # The name of a socket has 107 bytes at most, and a home may lie deeper than that.
        made.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o666)
    except OSError:
        made.close()
        raise
    finally:
        os.close(folder)
    return made
