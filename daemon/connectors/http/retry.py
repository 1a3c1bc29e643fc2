"""Decides whether a request is tried again, and when: pure rules over the outcome of one attempt."""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from daemon.base.clock import Entropy

MAX_RETRIES = 3
"""Attempts after the first one: a request is sent at most four times."""

_BASE_SECONDS = 0.1
_TRANSIENT = frozenset({429, *range(500, 600)})


def may_retry_status(status: int, *, idempotent: bool) -> bool:
    """Say whether an answer may be asked for again: 429 and 5xx, and only where a double effect is impossible."""
    return idempotent and status in _TRANSIENT


def backoff_seconds(retry: int, entropy: Entropy) -> float:
    """Return the pause before the given retry (1, 2, 3): it doubles each time, and half of it is random."""
    chance = int.from_bytes(entropy(2), "big") / 0xFFFF
    return float(_BASE_SECONDS * 2 ** (retry - 1) * (0.5 + chance / 2))


def retry_after_seconds(headers: Sequence[tuple[str, str]], *, now_ms: int) -> float:
    """Return how many seconds the service asks to wait; 0 if it does not ask, or cannot be understood."""
    value = next((value.strip() for name, value in headers if name.lower() == "retry-after"), "")
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)
