"""Finds the process that a session or a sandbox is to belong to."""

from daemon.base.platform import CannotTellError
from daemon.base.processes import Processes
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sessions.service import Owner


async def owner_of(processes: Processes, pid: int | None) -> Owner | None:
    """Return the process as an owner, or None if none was named; raise Failure unless it is certain that it lives."""
    if pid is None:
        return None
    try:
        identity = await processes.identity(pid)
    except CannotTellError as problem:
        raise Failure(
            FailureClass.RESOURCE_LIMIT_EXCEEDED,
            f"It cannot be told just now whether process {pid} is there ({problem}). Try again.",
            boundary=Boundary.RUNTIME,
            retriable=True,
        ) from problem
    if identity is None:
        raise Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"There is no process {pid} here that this could belong to.",
            boundary=Boundary.USER,
        )
    return Owner(pid, identity)
