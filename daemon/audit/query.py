"""Reading the log: events that fit a filter, a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from daemon.db.tables import audit_events, audit_index

_Columns = ReadOnlyColumnCollection[str, Any]
_C, _I = audit_events.c, audit_index.c
_TIMED = audit_index.alias("timed").c
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
    return list(stream_events(connection, wanted))


def stream_events(connection: Connection, wanted: EventFilter) -> Iterator[StoredEvent]:
    """Yield the events that fit without holding all of them."""
    left = wanted.limit
    for query in statements(connection, wanted):
        if left == 0:
            return
        rows = connection.execution_options(yield_per=_STREAM_ROWS).execute(query.limit(left))
        for row in rows:
            yield _event(row)
            left = None if left is None else left - 1


def get_event(connection: Connection, event_id: str) -> StoredEvent | None:
    """Return one event by its id."""
    row = connection.execute(select(audit_events).where(_C.id == event_id)).one_or_none()
    return None if row is None else _event(row)


def statements(connection: Connection, wanted: EventFilter) -> Sequence[Select[Any]]:
    """Return the queries of a filter, in the order of their events: what is filed is found through the index."""
    if not _asks_more_than_numbers(wanted):
        return (_in_order(select(audit_events).where(*_numbered(_C, wanted)), _C, wanted),)
    last = connection.execute(select(func.max(_I.seq))).scalar_one() or 0
    filed = (
        select(audit_events)
        .join(audit_index, _I.seq == _C.seq)
        .where(*_numbered(_I, wanted), *_filed_in_time(wanted), *_fitting(_I, wanted))
    )
    later = select(audit_events).where(
        _C.seq > last, *_numbered(_C, wanted), *_in_time(_C, wanted), *_fitting(_C, wanted)
    )
    both = _in_order(filed, _I, wanted), _in_order(later, _C, wanted)
    return both[::-1] if wanted.newest_first else both


def _in_order(query: Select[Any], of: _Columns, wanted: EventFilter) -> Select[Any]:
    return query.order_by(of.seq.desc() if wanted.newest_first else of.seq.asc())


def _asks_more_than_numbers(wanted: EventFilter) -> bool:
    more = (
        wanted.since,
        wanted.until,
        wanted.session,
        wanted.type,
        wanted.action,
        wanted.connector,
        wanted.failure_class,
    )
    return any(value is not None for value in more)


def _numbered(of: _Columns, wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.after_seq is not None:
        conditions.append(of.seq > wanted.after_seq)
    if wanted.before_seq is not None:
        conditions.append(of.seq < wanted.before_seq)
    return conditions


def _in_time(of: _Columns, wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(of.time >= wanted.since)
    if wanted.until is not None:
        conditions.append(of.time < wanted.until)
    return conditions


def _filed_in_time(wanted: EventFilter) -> list[ColumnElement[bool]]:
    # Order is by number, and times need not ascend with it (clocks are set back). The first and the last number of a
    # time come out of the index alone; between them the time itself is compared. The zero keeps SQLite from looking
    # for the smallest number in the table's own order, row by row.
    conditions = _in_time(_I, wanted)
    if wanted.since is not None:
        first = select(func.min(_TIMED.seq + 0)).where(_TIMED.time >= wanted.since).scalar_subquery()
        conditions.append(_I.seq >= first)
    if wanted.until is not None:
        last = select(func.max(_TIMED.seq + 0)).where(_TIMED.time < wanted.until).scalar_subquery()
        conditions.append(_I.seq <= last)
    return conditions


def _fitting(of: _Columns, wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.type is not None and wanted.type.endswith(".*"):
        family = wanted.type[:-1]
        # A range, not LIKE: it uses the index on every database. "/" is the character after ".".
        conditions.append((of.type >= family) & (of.type < family[:-1] + "/"))
    elif wanted.type is not None:
        conditions.append(of.type == wanted.type)
    exact = (
        (of.session, wanted.session),
        (of.action, _as_recorded(wanted.action)),
        (of.connector, wanted.connector),
        (of.failure_class, wanted.failure_class),
    )
    conditions.extend(column == value for column, value in exact if value is not None)
    return conditions


def _as_recorded(action: str | None) -> str | None:
    """Return an action's name as the log has it: a server's tool is server/tool there, and rules say server__tool."""
    return action if action is None or "/" in action else action.replace("__", "/", 1)


def _event(row: Any) -> StoredEvent:
    return StoredEvent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's mapping
