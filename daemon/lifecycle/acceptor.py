"""Takes connections from a listening socket, as long as there is room for them."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable

from daemon.lifecycle.bounds import ListenerBounds
from daemon.lifecycle.connection import BoundedConnection
from daemon.lifecycle.lobby import Lobby

_AT_ONCE = 16
"""Small, so that after each batch the new connections can send a request before others take their places."""
_CROWDED_SECONDS = 0.005
"""A pause while more connections come than there is room for, so that the rest of the daemon can work."""
_EXHAUSTED_SECONDS = 0.2
_SHUTDOWN_SECONDS = 5.0

MakeConnection = Callable[[socket.socket, Lobby], BoundedConnection]


class Acceptor:
    """Accepts connections, and checks about once a second which of them take too long."""

    def __init__(
        self, listening: socket.socket, *, bounds: ListenerBounds, context: ssl.SSLContext | None, make: MakeConnection
    ) -> None:
        self._listening = listening
        self._bounds = bounds
        self._context = context
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._lobby = Lobby(most_open=bounds.most_open, most_unasked=bounds.most_unasked)
        self._welcoming: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._closed = False
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)
        self._looked = self._loop.time()
        self._looking = self._loop.call_later(bounds.look_seconds, self._look)

    def close(self) -> None:
        """Accept nothing more. Connections that are open stay; the server that serves them ends them."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()

    async def wait_closed(self) -> None:
        """Stop the checks, and wait for handshakes that are under way."""
        self._looking.cancel()
        for task in self._welcoming:
            task.cancel()
        await asyncio.gather(*self._welcoming, return_exceptions=True)

    def _accept(self) -> None:
        crowded = self._lobby.turned_out
        for _ in range(_AT_ONCE):
            if self._is_reserve_reached():
                # Their descriptors are free after this round of the event loop. Until then new ones stay in the queue.
                made = sum(self._lobby.make_room() for _ in range(_AT_ONCE))
                self._pause(_CROWDED_SECONDS if made else _EXHAUSTED_SECONDS)
                return
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError:
                # No descriptors or no memory. The connection stays in the queue, so without a pause we would be called
                # again at once, for ever.
                self._lobby.make_room()
                self._pause(_EXHAUSTED_SECONDS)
                return
            self._let_in(accepted)
        if self._lobby.turned_out != crowded:
            self._pause(_CROWDED_SECONDS)

    def _is_reserve_reached(self) -> bool:
        """Say whether the next descriptor would be one that is kept back; the system gives the lowest free number."""
        ceiling = self._bounds.below_descriptor
        if ceiling is None:
            return False
        try:
            next_one = os.dup(self._listening.fileno())
        except OSError:
            return True
        os.close(next_one)
        return next_one >= ceiling

    def _let_in(self, accepted: socket.socket) -> None:
        connection = self._make(accepted, self._lobby)
        if not self._lobby.enter(connection):
            accepted.close()
            return
        accepted.setblocking(False)
        task = self._loop.create_task(self._welcome(accepted, connection))
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    async def _welcome(self, accepted: socket.socket, connection: BoundedConnection) -> None:
        secured = self._context is not None
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._bounds.head_seconds if secured else None,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS if secured else None,
            )
        except OSError:
            # A handshake that failed, took too long or was cut; errors of TLS are errors of the system, too.
            connection.never_connected()
        except BaseException:
            connection.never_connected()
            with contextlib.suppress(OSError):
                accepted.shutdown(socket.SHUT_RDWR)
            raise

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._again = None
        if not self._closed:
            self._loop.add_reader(self._listening, self._accept)

    def _look(self) -> None:
        now = self._loop.time()
        # After a pause of the whole process its callers get the time back in which nobody read what they sent.
        elapsed = min(now - self._looked, 2 * self._bounds.look_seconds)
        self._looked = now
        self._lobby.look(elapsed)
        self._looking = self._loop.call_later(self._bounds.look_seconds, self._look)
