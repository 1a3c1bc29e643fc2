"""What is kept for each connection of an agent: one over a pipe, several over HTTP."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from mcp.server.context import ServerRequestContext

Context = ServerRequestContext[Any, Any]
T = TypeVar("T")

MOST_CONNECTIONS = 16
PIPE = ""
"""The key of the one connection that there is over a pipe."""


def key_of(ctx: Context) -> str:
    """Return what tells the connections of the older era apart."""
    headers = getattr(ctx.request, "headers", {})
    return str(headers.get("mcp-session-id", PIPE))


class PerConnection(Generic[T]):
    """One value for each connection of the older era; of too many, the oldest is forgotten."""

    def __init__(self) -> None:
        self._kept: dict[str, T] = {}

    def put(self, ctx: Context, value: T) -> None:
        """Keep a value for the connection that a request came over."""
        self._kept.pop(key_of(ctx), None)
        self._kept[key_of(ctx)] = value
        if len(self._kept) > MOST_CONNECTIONS:
            del self._kept[next(iter(self._kept))]

    def of(self, ctx: Context) -> T | None:
        """Return the value of the connection that a request came over."""
        return self._kept.get(key_of(ctx))

    def of_pipe(self) -> T | None:
        """Return the value of the connection over a pipe."""
        return self._kept.get(PIPE)

    def __iter__(self) -> Iterator[T]:
        """Go through the values of all connections."""
        return iter(list(self._kept.values()))
