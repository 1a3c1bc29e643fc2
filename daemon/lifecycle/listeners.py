"""The two listeners: loopback sockets of our own, served by one loop, without signal handlers of the server's."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 2048
_GRACE_SECONDS = 5


class ListenError(Exception):
    """A listener cannot be opened; the message says why and what to do."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that owns both servers."""
        yield


class Listener:
    """One app on one port of one address; on loopback, and in plain HTTP, if nothing else is said."""

    def __init__(self, *, port: int, host: str = "127.0.0.1", certificate: tuple[Path, Path] | None = None) -> None:
        self._host = host
        self._certificate = certificate
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as problem:
            self._socket.close()
            raise ListenError(
                f"Port {port} of {host} is in use or not ours to take ({problem.strerror}). Set another in the "
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
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            backlog=_BACKLOG,
            ssl_certfile=None if self._certificate is None else self._certificate[0],
            ssl_keyfile=None if self._certificate is None else self._certificate[1],
        )
        self._server = _Server(configuration)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the listener ended before it had begun")
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Take no more connections, let the requests under way end, and close."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
