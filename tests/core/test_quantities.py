from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.quantities import QuantityError, format_duration, parse_duration, parse_size, readable_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("0s", 0)]
)
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("100B", 100), ("512KiB", 524_288), ("64MiB", 2**26), ("1GiB", 2**30)])
def test_sizes_are_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (22_365, "21.8 KiB"),
        (300_000, "293 KiB"),
        (2**20 - 1, "1 MiB"),
        (5 * 2**20, "5 MiB"),
        (8 * 2**30, "8 GiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_sizes_are_shown_with_three_digits_in_a_unit_that_fits(size: int, text: str) -> None:
    assert readable_size(size) == text


@given(st.integers(1, 2**49))
def test_a_size_that_is_shown_is_never_nothing_and_never_far_off(size: int) -> None:
    number, unit = readable_size(size).split()
    shown = float(number) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    assert abs(shown - size) <= 0.06 * size
    assert float(number) < 1024


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1.5h", "30 s", "30S", "1w", "٣s", "30s\n", "9" * 5000 + "s"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="like 30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "64", "64MB", "64mib", "-1B", "1.5GiB", "64 MiB", "1TiB", "64MiB\n"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="like 64MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (90, "90s"), (120, "2m"), (86_400, "1d"), (90_061.001, "90061001ms")],
)
def test_durations_are_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text())
def test_any_text_is_a_quantity_or_a_quantity_error(text: str) -> None:
    for parse in (parse_duration, parse_size):
        with suppress(QuantityError):
            assert parse(text) >= 0
