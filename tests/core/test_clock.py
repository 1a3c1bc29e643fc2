import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.base.clock import IdSource, parse_rfc3339, rfc3339
from daemon.core.ids import IdPrefix, is_id


class StoppedClock:
    def now_ms(self) -> int:
        return 1_795_212_043_123

    def monotonic(self) -> float:
        return 0.0


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_795_212_043_123) == "2026-11-20T22:00:43.123Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_a_time_reads_back_as_it_was_written(unix_ms: int) -> None:
    assert parse_rfc3339(rfc3339(unix_ms)) == unix_ms


@given(st.integers(min_value=0, max_value=253_402_300_799_999), st.integers(min_value=0, max_value=253_402_300_799_999))
def test_written_times_sort_like_the_times(one: int, other: int) -> None:
    assert (one < other) == (rfc3339(one) < rfc3339(other))


def test_a_time_with_another_offset_is_read() -> None:
    assert parse_rfc3339("2026-11-21T00:00:43.123+02:00") == 1_795_212_043_123


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        parse_rfc3339("2026-11-20T22:00:43")


def test_an_id_source_uses_the_clock_and_the_randomness_it_is_given() -> None:
    source = IdSource(clock=StoppedClock(), entropy=lambda count: b"\x01" * count)
    made = source.new(IdPrefix.EXECUTION)
    assert is_id(made, IdPrefix.EXECUTION)
    assert made == source.new(IdPrefix.EXECUTION)
