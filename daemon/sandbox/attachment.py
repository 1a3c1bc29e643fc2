"""The standard streams of a container: reads what it writes, in pieces with their kind, and writes to its input."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

TOLD, STDOUT, STDERR = 0, 1, 2
"""The kinds of pieces: what we say of a program, and what it writes to its output and to its errors."""
_PIECE = 65536
_HEADER = 8


class Attachment:
    """Holds the engine's connection to one container."""

    def __init__(self, response: Any, *, terminal: bool) -> None:
        self._response = response  # the connection closes when this object is collected
        self._socket: socket.socket = getattr(response, "_sock", response)
        self._socket.setblocking(False)
        self._terminal = terminal
        self._early = _read_ahead(response)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Hand out what the container writes, until it has ended."""
        loop = asyncio.get_running_loop()
        held = b""
        while True:
            try:
                early, self._early = self._early, b""
                piece = early or await loop.sock_recv(self._socket, _PIECE)
            except (ConnectionError, OSError):
                return
            if not piece:
                return
            # What is there is read without waiting, and what is sent to a reader who has gone is dropped at once. So a
            # program that writes without end would never let the loop see that they have gone.
            await asyncio.sleep(0)
            if self._terminal:
                yield STDOUT, piece
                continue
            held += piece
            while len(held) >= _HEADER:
                size = int.from_bytes(held[4:_HEADER], "big")
                if len(held) < _HEADER + size:
                    break
                yield (STDERR if held[0] == STDERR else STDOUT), held[_HEADER : _HEADER + size]
                held = held[_HEADER + size :]

    async def give(self, data: bytes) -> None:
        """Write to the container's standard input."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def typed(self, data: bytes, *, end: bool) -> None:
        """Hand on what a person typed, and that nothing more comes. Who has ended meanwhile says so by its output."""
        with contextlib.suppress(OSError):
            if data:
                await self.give(data)
            if end:
                self.end_input()

    def end_input(self) -> None:
        """Let the container read the end of its input."""
        self._socket.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End the connection; whoever reads it reads its end."""
        with contextlib.suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
        self._response.close()


def _read_ahead(response: Any) -> bytes:
    """Return what came together with the head of the engine's answer, and was read with it.

    A container that has written something before is quick enough for that. The socket must not block by now: where
    nothing was read ahead, this looks at it.
    """
    answer = getattr(response, "_response", None)
    return b"" if answer is None else bytes(answer.raw._fp.fp.peek())  # noqa: SLF001 - there is no other way to it
