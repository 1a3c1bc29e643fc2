"""Changes of things that are not rows of the database, with the log on both sides of them.

A row and its event are one transaction. A file is not, so its change is announced on disk before it is begun: what took
effect is never missing from the log, and a log that cannot be written keeps the change from being begun.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.vocabulary import Attr

T = TypeVar("T")


async def recorded(
    audit: AuditLog,
    event: AuditEvent,
    work: Callable[[], Awaitable[T]],
    *,
    outcome: Callable[[T], Mapping[str, Any]] = lambda _: {},
) -> T:
    """Announce a change, make it, and write down that it was made, or that it was not and why."""
    family = event.type.partition(".")[0]
    announced = {**event.payload, Attr.CHANGE: event.type}
    await audit.append(event._replace(type=f"{family}.change_begun", payload=announced))
    try:
        result = await work()
    except Exception as problem:
        # The words of an error may hold what a person typed; its class does not.
        reason = problem.failure_class.value if isinstance(problem, Failure) else type(problem).__name__
        failed = event._replace(type=f"{family}.change_failed", payload={**announced, Attr.ERROR_TYPE: reason})
        await _append(audit, failed, done="The change was not made")
        raise
    await _append(audit, event._replace(payload={**event.payload, **outcome(result)}), done="The change was made")
    return result


async def recorded_after(audit: AuditLog, event: AuditEvent, work: Callable[[], Awaitable[T]]) -> T:
    """Make a change that only takes power away, and then write it down: it is not to wait for a disk."""
    result = await work()
    await _append(audit, event, done="The change was made")
    return result


async def _append(audit: AuditLog, event: AuditEvent, *, done: str) -> None:
    try:
        await audit.append(event)
    except Failure as unwritten:
        raise Failure(
            FailureClass.AUDIT_UNAVAILABLE,
            f"{done}, but the audit log cannot be written any more, so {event.type} is not in it.",
            boundary=Boundary.RUNTIME,
            details={"cause": unwritten.message},
        ) from None
