"""Durations and sizes as people write them: 30s, 24h, 64MiB."""

import re

_DURATION = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_SIZE = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>B|KiB|MiB|GiB)")
_UNIT_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class QuantityError(ValueError):
    """A text is not a duration or a size."""


def parse_duration(text: str) -> float:
    """Read a duration such as 500ms, 30s, 5m, 24h or 7d as seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise QuantityError(f"{text[:40]!r} is not a duration; write a whole number and ms, s, m, h or d, like 30s.")
    return int(match["number"]) * _UNIT_MS[match["unit"]] / 1000


def format_duration(seconds: float) -> str:
    """Write a duration in the largest unit that keeps it whole; what is finer than a millisecond is rounded."""
    milliseconds = round(seconds * 1000)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(milliseconds, _UNIT_MS[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def format_size(count: int) -> str:
    """Write a size in the largest unit that keeps it whole."""
    for unit in ("GiB", "MiB", "KiB"):
        number, rest = divmod(count, _UNIT_BYTES[unit])
        if number and not rest:
            return f"{number}{unit}"
    return f"{count}B"


def readable_size(count: int) -> str:
    """Write a size as people read it, rounded to three digits: 700 B, 21.8 KiB, 8 GiB. Nothing but nothing is 0."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < _UNIT_BYTES["KiB"] - 0.5:  # what would be rounded to 1024 is one of the next unit
            break
        amount, unit = amount / _UNIT_BYTES["KiB"], larger
    digits = f"{amount:.0f}" if unit == "B" or amount >= 99.95 else f"{amount:.1f}".removesuffix(".0")
    return f"{digits} {unit}"


def parse_size(text: str) -> int:
    """Read a size such as 100B, 512KiB, 64MiB or 1GiB as bytes."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise QuantityError(f"{text[:40]!r} is not a size; write a whole number and B, KiB, MiB or GiB, like 64MiB.")
    return int(match["number"]) * _UNIT_BYTES[match["unit"]]
