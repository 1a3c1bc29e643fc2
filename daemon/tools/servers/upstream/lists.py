"""Reads a list of a server's, page by page, with a bound on what one server may give."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError

KEYS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}

Page = Callable[[Mapping[str, Any]], Awaitable[Message]]


async def every_page(method: str, page: Page, limits: Limits) -> list[Message]:
    """Return the entries of all pages; raises UpstreamError. What is no object is left out."""
    key = KEYS[method]
    found: list[Message] = []
    seen: set[str] = set()
    params: dict[str, Any] = {}
    for _ in range(limits.pages):
        result = await page(params)
        entries = result.get(key)
        if not isinstance(entries, list):
            raise UpstreamError(Trouble.MALFORMED, f"The answer to {method} holds no {key}.")
        found += [entry for entry in entries if isinstance(entry, dict)]
        if len(found) > limits.definitions:
            raise UpstreamError(Trouble.MALFORMED, f"{method} gives more than {limits.definitions} entries.")
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            return found
        if cursor in seen:
            raise UpstreamError(Trouble.MALFORMED, f"{method} gives the same page again and again.")
        seen.add(cursor)
        params = {"cursor": cursor}
    raise UpstreamError(Trouble.MALFORMED, f"{method} has more than {limits.pages} pages.")
