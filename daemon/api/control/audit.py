"""The audit log: reading it, proving it whole, taking its head elsewhere."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import USUAL, ListPart, Part, first_of, paged
from daemon.api.principals import Who
from daemon.audit.export import ExportedHead, export_lines
from daemon.audit.large import LargeValues
from daemon.audit.log import AuditLog
from daemon.audit.query import EventFilter, StoredEvent, get_event, query_events
from daemon.audit.signing import public_pem
from daemon.base.clock import parse_rfc3339, rfc3339
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.db.reader import Reader

_MOST_EVENTS = 10_000
_LINES_AT_ONCE = 200


class VerifyBody(Body):
    """A head that was exported earlier, to find a log that was cut off behind it."""

    anchor: dict[str, Any] | None = Field(default=None)


class ResumeBody(Body):
    """Why a person goes on with a damaged log."""

    because: str = Field(min_length=1, max_length=500)


class JsonLines(StreamingResponse):
    """A stream of JSON documents, one a line."""

    media_type = "application/x-ndjson"


def event_filter(
    after_seq: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    before_seq: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    since: Annotated[str | None, Query(max_length=40)] = None,
    until: Annotated[str | None, Query(max_length=40)] = None,
    session: Annotated[str | None, Query(max_length=100)] = None,
    type: Annotated[str | None, Query(max_length=100)] = None,  # noqa: A002 - the name on the wire
    action: Annotated[str | None, Query(max_length=200)] = None,
    connector: Annotated[str | None, Query(max_length=500)] = None,
    failure_class: Annotated[str | None, Query(max_length=100)] = None,
    newest_first: bool = False,
) -> EventFilter:
    """Read the filter of a query."""
    return EventFilter(
        after_seq=after_seq,
        before_seq=before_seq,
        since=_moment(since),
        until=_moment(until),
        session=session,
        type=type,
        action=action,
        connector=connector,
        failure_class=failure_class,
        limit=None,
        newest_first=newest_first,
    )


Events = Annotated[Part, paged(USUAL, _MOST_EVENTS)]
Filter = Annotated[EventFilter, Depends(event_filter)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    log: AuditLog
    reader: Reader
    large: LargeValues


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/audit", operation_id="audit_list")
    async def events(wanted: Filter, part: Events) -> ListPart:
        """Return events that fit a filter, the oldest first unless asked otherwise."""
        name = "audit, newest first" if wanted.newest_first else "audit"
        behind = part.behind(name, int)
        filtered = replace(wanted if behind is None else _behind(wanted, int(behind[0])), limit=part.limit + 1)
        found = await uses.reader.read(lambda conn: query_events(conn, filtered))
        items, cursor = first_of(name, found, key=lambda event: (event.seq,), part=part)
        following = items[-1].seq if cursor is not None else None  # for clients of the version before
        shown = [_shown(event) for event in items]
        return ListPart.model_validate({"items": shown, "next_cursor": cursor, "next": following})

    @routes.get("/v1/audit/head", operation_id="audit_head")
    async def head() -> dict[str, Any]:
        """Return the signed head of the log, to be kept where the daemon cannot reach."""
        return uses.log.head().as_json()

    @routes.get("/v1/audit/export", operation_id="audit_export", response_class=JsonLines)
    async def export(wanted: Filter) -> JsonLines:
        """Stream events as JSON lines, in the order they were written, with what proves them."""
        # The head comes before the snapshot, which then holds all that the head signs. A damaged log is not signed.
        head = None if uses.log.status().damage else uses.log.head()
        ((key_id, public_key),) = uses.log.public_keys().items()

        def lines() -> Iterator[bytes]:
            with uses.reader.connect() as conn:
                found = export_lines(conn, wanted, head=head, key_id=key_id, public_key=public_key)
                while some := list(islice(found, _LINES_AT_ONCE)):
                    yield "".join(f"{line}\n" for line in some).encode()

        return JsonLines(uses.reader.iterate(lines))

    @routes.get("/v1/audit/key", operation_id="audit_key")
    async def key() -> dict[str, Any]:
        """Return the public key of the log, for whoever verifies an export elsewhere."""
        ((key_id, public_key),) = uses.log.public_keys().items()
        return {"key_id": key_id, "public_key": public_pem(public_key)}

    @routes.post("/v1/audit/verify", operation_id="audit_verify")
    async def verify_log(body: VerifyBody) -> dict[str, Any]:
        """Check every event, every link and every checkpoint."""
        anchor = None
        if body.anchor is not None:
            try:
                anchor = ExportedHead.from_json(body.anchor)
            except (ValueError, KeyError, TypeError) as problem:
                raise Failure(
                    FailureClass.INVALID_ARGUMENTS,
                    f"The anchor is not a head that `aileron audit head` wrote: {problem}",
                    boundary=Boundary.USER,
                ) from problem
        began = time.monotonic()
        report = await uses.reader.read(lambda conn: uses.log.verify(conn, anchor=anchor))
        damaged = bool(uses.log.status().damage)
        return {
            "ok": report.ok,
            "events": report.events,
            "seconds": time.monotonic() - began,
            "problems": [asdict(problem) for problem in report.problems],
            "resumed": report.resumed,
            "unvouched": [{"first": first, "last": last} for first, last in report.unvouched],
            # A damaged log is not signed.
            "head": None if damaged else uses.log.head().as_json(),
        }

    @routes.post("/v1/audit/resume", operation_id="audit_resume")
    async def resume(body: ResumeBody, who: Who) -> dict[str, Any]:
        """Go on with a log that is damaged, behind a signed event that says what was found and why."""
        record = await uses.log.resume(because=body.because, actor=who, session=None)
        return {"event_id": record.id, "seq": record.seq}

    @routes.get("/v1/audit/{event_id}", operation_id="audit_show")
    async def show(event_id: Annotated[str, Path(max_length=100)]) -> dict[str, Any]:
        """Return one event; values of it that lie in files come with it, null if a file is gone or was changed."""
        event = await uses.reader.read(lambda conn: get_event(conn, event_id))
        if event is None:
            raise no_such("event", event_id, prefix=IdPrefix.AUDIT, remedy="See `aileron audit list`.")
        shown = _shown(event)
        moved = await uses.large.read(event.session, shown["payload"])
        attached = {name: None if text is None else json.loads(text) for name, text in moved.items()}
        return {**shown, "attachments": attached} if attached else shown

    return routes


def _behind(wanted: EventFilter, seq: int) -> EventFilter:
    """Return the filter for what comes behind an event, within the numbers that were asked for."""
    if wanted.newest_first:
        return replace(wanted, before_seq=seq if wanted.before_seq is None else min(seq, wanted.before_seq))
    return replace(wanted, after_seq=seq if wanted.after_seq is None else max(seq, wanted.after_seq))


def _shown(event: StoredEvent) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "id": event.id,
        "time": event.time,
        "type": event.type,
        "session": event.session,
        "actor": event.actor,
        "action": event.action,
        "connector": event.connector,
        "failure_class": event.failure_class,
        "payload": json.loads(event.payload),
        "hash": event.hash,
    }


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return rfc3339(parse_rfc3339(text))
    except (ValueError, OverflowError) as problem:
        raise Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"{text!r} is not a time; write it like 2026-11-20T22:00:00Z.",
            boundary=Boundary.USER,
        ) from problem
