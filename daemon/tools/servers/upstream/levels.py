"""The levels of lines for the log, as the protocol orders them. Pure."""

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


def is_wanted(level: object, wanted: str) -> bool:
    """Say whether a line of this level is to be heard by somebody who wants lines from `wanted` on."""
    return level in LEVELS and LEVELS.index(str(level)) >= LEVELS.index(wanted)


def lower(one: str | None, other: str) -> str:
    """Return the lower of two levels: the one that lets more lines through."""
    return other if one is None else min(one, other, key=LEVELS.index)
