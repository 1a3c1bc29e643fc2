"""Sends the head of an answer together with the beginning of its body.

Each would be a system call of its own, and each would wake the reader: for a small answer that is a good part of what
it costs both sides.
"""

import asyncio


class Together:
    """A transport as the answer to one request uses it. It belongs to the loop's thread."""

    __slots__ = ("_begun", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._begun = False
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send; what is sent first waits for what comes behind it in the same turn of the loop."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif self._begun:
            self._transport.write(data)
        else:
            self._begun, self._head = True, data
            self._loop.call_soon(self._send_head)

    def close(self) -> None:
        """Close when all is sent."""
        self._send_head()
        self._transport.close()

    def is_closing(self) -> bool:
        """Say whether it is closed or about to be."""
        return self._transport.is_closing()

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)
