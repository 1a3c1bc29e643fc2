"""What a caller is told when nothing can be recorded."""

from collections.abc import Sequence

from daemon.audit.damage import Problem
from daemon.core.failures import Boundary, Failure, FailureClass

LOOK = "aileron audit verify"
GO_ON = 'aileron audit resume --because "..."'


def unavailable(reason: str) -> Failure:
    """Return what a caller is told when the log cannot be written just now."""
    return Failure(
        FailureClass.AUDIT_UNAVAILABLE,
        f"The audit log cannot be written ({reason}), so nothing was run.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )


def damaged(problems: Sequence[Problem]) -> Failure:
    """Return what a caller is told when the log is not what it was."""
    return Failure(
        FailureClass.AUDIT_UNAVAILABLE,
        f"The audit log is damaged, so nothing was run: {in_short(problems)} See all of it with `{LOOK}`. Bring back "
        f"a copy of the home that is whole, or go on with the log as it is: {GO_ON}",
        boundary=Boundary.RUNTIME,
        details={"command": LOOK, "seq": problems[0].seq if problems else None},
    )


def cannot_resume(reason: str) -> Failure:
    """Return what a person is told who wanted to go on with a log that cannot even be written."""
    return Failure(
        FailureClass.AUDIT_UNAVAILABLE,
        f"The log could not be gone on with ({reason}). If the disk works and has room, the database itself is broken: "
        "stop the daemon, move aileron.db away (keep it), start again and repeat this.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )


def not_damaged() -> Failure:
    """Return what a person is told who wants to go on with a log that nothing is wrong with."""
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"Nothing is known to be wrong with the audit log, so it needs no such thing. Look at it with `{LOOK}`.",
        boundary=Boundary.USER,
    )


def in_short(problems: Sequence[Problem]) -> str:
    """Return the first problem, and how many more there are."""
    if not problems:
        return ""
    more = len(problems) - 1
    return problems[0].message + (f" There {'is' if more == 1 else 'are'} {more} more." if more else "")
