"""Requests to the daemon and their answers: what a client needs of a way to it, and what goes wrong on one.

The way is a connection over HTTP (`connections.py`), or one inside of the daemon itself.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class NotReached(Exception):
    """The daemon was not reached, so nothing of the request happened."""


class BrokenOff(Exception):
    """The request left, and its answer did not come whole."""


class Answer(Protocol):
    """An answer whose head has come."""

    @property
    def status(self) -> int:
        """Return the status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, by names in small letters."""
        ...

    def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises BrokenOff."""
        ...

    async def whole(self) -> bytes:
        """Return the body when it is whole. Raises BrokenOff."""
        ...


class Sent(Answer, AbstractAsyncContextManager[Answer], Protocol):
    """A request that has left, and its answer: entering the context waits for its head."""

    @property
    def content(self) -> bytes | None:
        """Return the body, if it is whole; it can still be read."""
        ...

    def hang_up(self) -> None:
        """Want nothing more of the answer."""
        ...


class Way(Protocol):
    """A way to the daemon."""

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes = b"", silence: float | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a request; leaving the context before its answer was read whole hangs up.

        Raises NotReached or BrokenOff; the latter also after so many seconds without a byte.
        """
        ...

    def send_at_once(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes, told: Callable[[], None]
    ) -> Sent | None:
        """Send a request now; None if something must be waited for first.

        `told` is called once, later: when the answer is whole, is too long to wait for that, or broke off.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


async def lines(answer: Answer) -> AsyncIterator[str]:
    """Yield the lines of a body as they come."""
    rest = b""
    async for part in answer.parts():
        *complete, rest = (rest + part).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
