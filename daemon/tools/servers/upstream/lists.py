"""Reads a list of a server's, page by page, with a bound on what one server may give."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError

KEYS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}

_LONGEST_MS = 10 * 365 * 86_400_000
Page = Callable[[Mapping[str, Any]], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A whole list."""

    entries: list[Message]
    holds_seconds: float
    """For how long the server says that it holds: the shortest time of its pages, 0 if one does not say."""


async def every_page(method: str, page: Page, limits: Limits) -> Listed:
    """Return the entries of all pages; raises UpstreamError. What is no object is left out."""
    key = KEYS[method]
    found: list[Message] = []
    holds: list[float] = []
    seen: set[str] = set()
    params: dict[str, Any] = {}
    for _ in range(limits.pages):
        result = await page(params)
        entries = result.get(key)
        if not isinstance(entries, list):
            raise UpstreamError(Trouble.MALFORMED, f"The answer to {method} holds no {key}.")
        found += [entry for entry in entries if isinstance(entry, dict)]
        holds.append(_holds(result.get("ttlMs")))
        if len(found) > limits.definitions:
            raise UpstreamError(Trouble.MALFORMED, f"{method} gives more than {limits.definitions} entries.")
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            return Listed(found, min(holds))
        if cursor in seen:
            raise UpstreamError(Trouble.MALFORMED, f"{method} gives the same page again and again.")
        seen.add(cursor)
        params = {"cursor": cursor}
    raise UpstreamError(Trouble.MALFORMED, f"{method} has more than {limits.pages} pages.")


def _holds(said: Any) -> float:
    """Return the seconds of a `ttlMs`; what is no number of milliseconds says nothing."""
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    return said / 1000 if is_number and 0 < said < _LONGEST_MS else 0.0
