"""When a request is tried again: only where a double effect is impossible, later each time."""

from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.connectors.http.retry import backoff_seconds, may_retry_status, retry_after_seconds

NOW_MS = 1_800_000_000_000


@given(st.integers(100, 599))
def test_an_operation_that_is_not_idempotent_is_never_retried_on_any_status(status: int) -> None:
    assert not may_retry_status(status, idempotent=False)
    assert may_retry_status(status, idempotent=True) is (status == 429 or status >= 500)


@given(st.binary(min_size=2, max_size=2))
def test_the_pause_doubles_and_keeps_half_of_itself_to_chance(chance: bytes) -> None:
    for retry, most in ((1, 0.1), (2, 0.2), (3, 0.4)):
        assert most / 2 <= backoff_seconds(retry, lambda _: chance) <= most


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0), ("7", 7), (" 7 ", 7), ("-1", 0), ("1.5", 0), ("soon", 0), ("", 0), ("٣", 0),
        (formatdate(NOW_MS / 1000 + 90, usegmt=True), 90), (formatdate(NOW_MS / 1000 - 90, usegmt=True), 0),
        (format_datetime(datetime.fromtimestamp(NOW_MS / 1000 + 5, UTC)), 5),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float) -> None:
    assert retry_after_seconds([("retry-After", value)], now_ms=NOW_MS) == seconds


@given(st.text())
def test_any_retry_after_is_read_as_some_pause(value: str) -> None:
    assert retry_after_seconds([("Retry-After", value)], now_ms=NOW_MS) >= 0
