"""Times are read and written the way people say them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.moments import age, bound, in_full, in_list, local, seconds_of, span, time_left

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.4, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h"), (90_061, "1d 1h"), (-5, "0s")],
)
def test_a_span_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_time_is_told_by_its_distance() -> None:
    assert age("2026-11-20T21:55:00.000Z", NOW) == "5m ago"
    assert time_left("2026-11-21T22:00:00.000Z", NOW) == "1d"
    assert time_left("2026-11-20T21:00:00.000Z", NOW) == "over"
    assert time_left(None, NOW) == age("nonsense", NOW) == "-"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the clock on the wall two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_times_are_those_of_the_clock_on_the_wall() -> None:
    assert local("2026-11-20T21:55:00.000Z") == "2026-11-20 23:55:00"
    assert in_full("2026-11-20T21:55:00.000Z", NOW) == "2026-11-20 23:55:00 (5m ago)"
    assert in_full("2026-11-20T22:05:00.000Z", NOW) == "2026-11-21 00:05:00 (in 5m)"
    assert in_full(None, NOW) == local("nonsense") == in_list(None, NOW) == "-"
    # Midnight lies between these two, here.
    assert in_list("2026-11-20T22:05:00.000Z", NOW) == "00:05:00"
    assert in_list("2026-11-20T21:05:00.000Z", NOW) == "11-20 23:05:00"
    assert in_list("2025-11-20T21:05:00.000Z", NOW) == "2025-11-20 23:05"
    # What was read in a list can be typed.
    assert bound("2026-11-20 23:55:00", option="--since", now=NOW) == "2026-11-20T21:55:00.000Z"


def test_a_bound_is_a_length_of_time_back_or_a_time() -> None:
    assert bound("1h", option="--since", now=NOW) == "2026-11-20T21:00:00.000Z"
    assert bound("2026-11-19", option="--since", now=NOW) == "2026-11-19T00:00:00.000Z"
    assert bound("2026-11-19T10:00:00+02:00", option="--since", now=NOW) == "2026-11-19T08:00:00.000Z"
    assert bound(None, option="--since", now=NOW) is None


@pytest.mark.parametrize("text", ["yesterday", "1 hour", "-1h", ""])
def test_a_bound_that_is_neither_is_a_usage_failure(text: str) -> None:
    with pytest.raises(CliFailure) as raised:
        bound(text, option="--since", now=NOW)
    assert raised.value.exit_code == ExitCode.USAGE


def test_a_timeout_that_is_none_is_a_usage_failure() -> None:
    assert seconds_of("10m", option="--timeout") == 600
    with pytest.raises(CliFailure, match="--timeout"):
        seconds_of("ten minutes", option="--timeout")


@given(st.text() | st.from_regex(r"[0-9]{1,12}(ms|s|m|h|d)", fullmatch=True))
def test_any_bound_is_a_time_or_a_usage_failure(text: str) -> None:
    try:
        value = bound(text, option="--since", now=NOW)
    except CliFailure:
        return
    assert value is not None
    assert value.endswith("Z")
