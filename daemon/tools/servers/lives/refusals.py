"""What is said to who asks for a server that cannot be had. Nothing was run in any of these cases. Pure."""

import math

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.tools.servers.lives.states import LastError


def resting(server: str, seconds: float, error: LastError | None) -> Failure:
    """Return the failure of a call of a server that is left alone for a while."""
    whole = max(1, math.ceil(seconds))
    why = f" ({error.message.rstrip('.')})" if error is not None else ""
    command = f"aileron server logs {server}"
    return Failure(
        FailureClass.CONNECTOR_RUNTIME_ERROR,
        f"The server {server} failed{why}. It is started again by a call in {whole} s or later. Nothing was run. A "
        f"person can look with `{command}`, or start it at once with `aileron server restart {server}`.",
        boundary=Boundary.EXTERNAL,
        retriable=True,
        details={"server": server, "retry_after_seconds": whole, "command": command},
    )


def gone(server: str) -> Failure:
    """Return the failure of a call of a server that is not configured any more."""
    return Failure(
        FailureClass.NOT_FOUND,
        f"There is no server {server} any more. Nothing was run.",
        boundary=Boundary.USER,
        details={"server": server},
    )


def disabled(server: str) -> Failure:
    """Return the failure of a call of a server that a person switched off."""
    command = f"aileron server enable {server}"
    return Failure(
        FailureClass.NOT_FOUND,
        f"The server {server} is disabled. Nothing was run. A person can run `{command}`.",
        boundary=Boundary.USER,
        details={"server": server, "command": command},
    )


def changed(server: str) -> Failure:
    """Return the failure of a call that was checked for a server which is configured otherwise by now."""
    return Failure(
        FailureClass.HASH_MISMATCH,
        f"The configuration of the server {server} changed after this call was checked. Nothing was run: ask again.",
        boundary=Boundary.USER,
        retriable=True,
        details={"server": server},
    )


def too_many(server: str, *, most: int, of_session: bool) -> Failure:
    """Return the failure of a call that would need one more process than there may be."""
    whose = "This session runs" if of_session else "All sessions together run"
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"{whose} {most} servers of their own, and all are at work, so {server} was not started. Nothing was run: ask "
        "again when a call has ended.",
        boundary=Boundary.RUNTIME,
        retriable=True,
        details={"server": server, "limit": most},
    )


def session_over(server: str) -> Failure:
    """Return the failure of a call that waited for a server of its session's own while the session ended."""
    return Failure(
        FailureClass.NOT_FOUND,
        f"The session has ended, and its own {server} with it. Nothing was run.",
        boundary=Boundary.USER,
        details={"server": server},
    )


def stopping() -> Failure:
    """Return the failure of a call that comes while the daemon stops."""
    return Failure(
        FailureClass.INTERNAL_ERROR,
        "The daemon is stopping. Nothing was run: ask again.",
        boundary=Boundary.RUNTIME,
        retriable=True,
    )
