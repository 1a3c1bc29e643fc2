"""What the daemon answers to a call: the tool ran, or a person must act first."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class CallResult(NamedTuple):
    """The tool ran."""

    audit_id: str
    result: Any
    content: tuple[Mapping[str, Any], ...]
    """The result in blocks, as MCP has them."""
    failed: bool = False
    """The tool answered, and said that it failed."""
    meta: Mapping[str, Any] | None = None
    """What the tool says of its result for programs."""


class CallPending(NamedTuple):
    """The call waits for a person."""

    approval_id: str
    review_url: str
    message: str
    asked_by: str = ""
    """The server that asks the person while the call runs; empty if nothing has run yet."""
