"""Requests that came in one piece, and what may answer one without the task and the messages of ASGI around it.

Nearly every request of an agent is such a one: the plain call of a tool. Whoever does not want a request leaves it
alone; then it goes through ASGI like any other, and no difference can be seen from outside.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

App = Callable[[Any, Any, Any], Awaitable[None]]
"""What ASGI calls an app."""


class Whole(NamedTuple):
    """A POST of HTTP/1.1, with its body. Its target is a path with nothing in it that could be written otherwise."""

    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Reply(Protocol):
    """Where the answer to one request goes. Once it has been given, or handed on, nothing more happens here."""

    def give(self, body: bytes) -> None:
        """Answer with status 200 and this JSON."""
        ...

    def hand_on(self, app: App) -> None:
        """Have an app give the answer, through ASGI."""
        ...


class Taken(Protocol):
    """A request that somebody answers."""

    def hang_up(self) -> None:
        """Hear that the caller is gone."""
        ...

    def hand_on(self) -> None:
        """Hand it on to an app, because it takes longer than it is worth to do without one."""
        ...


@runtime_checkable
class TakesWhole(Protocol):
    """An app that answers some requests itself."""

    def take(self, request: Whole, reply: Reply) -> Taken | None:
        """Begin to answer a request, or leave it alone: then nothing has happened."""
        ...


def taker(app: object) -> TakesWhole | None:
    """Return an app if it is one that answers some requests itself."""
    return app if isinstance(app, TakesWhole) else None
