"""Times as people write and read them: how long ago, how long still, since when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.cli.failure import CliFailure
from daemon.core.quantities import QuantityError, parse_duration

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def span(seconds: float) -> str:
    """Write a length of time in its two largest units: `2h 5m`."""
    rest = max(0, int(seconds))
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def time_left(moment: Any, now: datetime) -> str:
    """Say how far away a time of the API is."""
    then = _parse(moment)
    if then is None:
        return "-"
    seconds = (then - now).total_seconds()
    return span(seconds) if seconds > 0 else "over"


def age(moment: Any, now: datetime) -> str:
    """Say how long ago a time of the API was."""
    then = _parse(moment)
    return "-" if then is None else f"{span((now - then).total_seconds())} ago"


def local(moment: Any) -> str:
    """Write a time of the API as the clock on the wall shows it, to the second."""
    then = _parse(moment)
    return "-" if then is None else then.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def in_full(moment: Any, now: datetime) -> str:
    """Write a time as the clock shows it, and how far away it is."""
    then = _parse(moment)
    if then is None:
        return "-"
    distance = f"in {time_left(moment, now)}" if then > now else age(moment, now)
    return f"{local(moment)} ({distance})"


def in_list(moment: Any, now: datetime) -> str:
    """Write a time for a column: without the day if that is today, without the year if it is this one."""
    then, today = _parse(moment), now.astimezone()
    if then is None:
        return "-"
    here = then.astimezone()
    if here.date() == today.date():
        return here.strftime("%H:%M:%S")
    return here.strftime("%m-%d %H:%M:%S" if here.year == today.year else "%Y-%m-%d %H:%M")


def bound(text: str | None, *, option: str, now: datetime) -> str | None:
    """Turn `1h`, a date or a time into the RFC 3339 time that the API filters by."""
    if text is None:
        return None
    try:
        then = now - timedelta(seconds=parse_duration(text))
    except QuantityError:
        parsed = _parse(text)
        if parsed is None:
            raise CliFailure.usage(
                f"{option} {text!r} is neither a length of time nor a time",
                remedy=f"Write {option} 90s, 15m, 1h or 7d, or a time like 2026-11-20T22:00:00Z.",
            ) from None
        then = parsed
    except OverflowError:
        then = datetime.min.replace(tzinfo=UTC)
    return then.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str, *, option: str) -> float:
    """Read a length of time given with an option."""
    try:
        return parse_duration(text)
    except QuantityError as error:
        raise CliFailure.usage(f"{option}: {error}") from None


def _parse(moment: Any) -> datetime | None:
    if not isinstance(moment, str):
        return None
    try:
        then = datetime.fromisoformat(moment)
        return then if then.tzinfo is not None else then.astimezone()
    except (ValueError, OverflowError):
        return None
