"""Reading the log: events that fit a filter, a page at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from daemon.db.tables import audit_events

_C = audit_events.c
_TIMED = audit_events.alias("timed").c
_STREAM_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; a type may end in `.*` for a whole family."""

    after_seq: int | None = None
    before_seq: int | None = None
    since: str | None = None
    until: str | None = None
    session: str | None = None
    type: str | None = None
    action: str | None = None
    connector: str | None = None
    failure_class: str | None = None
    limit: int | None = 100
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it lies in the log."""

    seq: int
    id: str
    time: str
    type: str
    session: str | None
    actor: str
    action: str | None
    connector: str | None
    failure_class: str | None
    payload: str
    prev_hash: str
    hash: str


def query_events(connection: Connection, wanted: EventFilter) -> list[StoredEvent]:
    """Return the events that fit."""
    return [_event(row) for row in connection.execute(statement(wanted))]


def stream_events(connection: Connection, wanted: EventFilter) -> Iterator[StoredEvent]:
    """Yield the events that fit without holding all of them."""
    rows = connection.execution_options(yield_per=_STREAM_ROWS).execute(statement(wanted))
    for row in rows:
        yield _event(row)


def get_event(connection: Connection, event_id: str) -> StoredEvent | None:
    """Return one event by its id."""
    row = connection.execute(select(audit_events).where(_C.id == event_id)).one_or_none()
    return None if row is None else _event(row)


def statement(wanted: EventFilter) -> Select[Any]:
    """Return the query of a filter."""
    order = _C.seq.desc() if wanted.newest_first else _C.seq.asc()
    query = select(audit_events).where(*_conditions(wanted)).order_by(order)
    return query if wanted.limit is None else query.limit(wanted.limit)


def _conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.after_seq is not None:
        conditions.append(_C.seq > wanted.after_seq)
    if wanted.before_seq is not None:
        conditions.append(_C.seq < wanted.before_seq)
    # Order is by number, and times need not ascend with it (clocks are set back). The first and the last number of a
    # time come out of the index alone; between them the time itself is compared. The zero keeps SQLite from looking
    # for the smallest number in the table's own order, row by row.
    if wanted.since is not None:
        first = select(func.min(_TIMED.seq + 0)).where(_TIMED.time >= wanted.since).scalar_subquery()
        conditions += [_C.seq >= first, _C.time >= wanted.since]
    if wanted.until is not None:
        last = select(func.max(_TIMED.seq + 0)).where(_TIMED.time < wanted.until).scalar_subquery()
        conditions += [_C.seq <= last, _C.time < wanted.until]
    if wanted.type is not None and wanted.type.endswith(".*"):
        family = wanted.type[:-1]
        # A range, not LIKE: it uses the index on every database. "/" is the character after ".".
        conditions.append((_C.type >= family) & (_C.type < family[:-1] + "/"))
    elif wanted.type is not None:
        conditions.append(_C.type == wanted.type)
    exact = (
        (_C.session, wanted.session),
        (_C.connector, wanted.connector),
        (_C.failure_class, wanted.failure_class),
    )
    conditions.extend(column == value for column, value in exact if value is not None)
    if wanted.action is not None and "__" in wanted.action:
        # The log calls a server's tool server/tool, and rules and agents say server__tool.
        conditions.append(_C.action.in_([wanted.action, wanted.action.replace("__", "/", 1)]))
    elif wanted.action is not None:
        conditions.append(_C.action == wanted.action)
    return conditions


def _event(row: Any) -> StoredEvent:
    return StoredEvent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's mapping
