"""Pins and names in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from daemon.db import tables
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.pins.pin import Pin, PinState

_TOOLS, _NAMES, _LOOKS = tables.server_tools, tables.server_tool_names, tables.server_looks


@dataclass(frozen=True, slots=True)
class Name:
    """A name that was given once: agents mean this tool of this server by it, for ever."""

    name: str
    prefix: str
    server: str
    tool: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept."""

    looked: frozenset[str]
    pins: Sequence[Pin]
    names: Sequence[Name]


def read_all(conn: Connection) -> Kept:
    """Read everything."""
    return Kept(
        looked=frozenset(conn.execute(select(_LOOKS.c.server)).scalars()),
        pins=[
            Pin(
                server=row.server,
                tool=row.tool,
                record=row.record,
                state=PinState(row.state),
                accepted=_definition(row.accepted),
                pending=_definition(row.pending),
                first_ms=row.first_ms,
                accepted_ms=row.accepted_ms,
                accepted_by=row.accepted_by,
            )
            for row in conn.execute(select(_TOOLS))
        ],
        names=[Name(row.name, row.prefix, row.server, row.tool) for row in conn.execute(select(_NAMES))],
    )


def write_look(conn: Connection, server: str, now_ms: int) -> None:
    """Write down that a server's tools were looked at for the first time."""
    conn.execute(insert(_LOOKS).values(server=server, first_ms=now_ms))


def write_pins(conn: Connection, server: str, pins: Sequence[Pin]) -> None:
    """Put pins of one server in the place of those of the same tools."""
    if not pins:
        return
    conn.execute(
        delete(_TOOLS).where(_TOOLS.c.server == server, _TOOLS.c.tool == bindparam("of_tool")),
        [{"of_tool": pin.tool} for pin in pins],
    )
    conn.execute(insert(_TOOLS), [_row(pin) for pin in pins])


def write_names(conn: Connection, names: Iterable[Name]) -> None:
    """Keep new names."""
    rows = [{"name": each.name, "prefix": each.prefix, "server": each.server, "tool": each.tool} for each in names]
    if rows:
        conn.execute(insert(_NAMES), rows)


def forget(conn: Connection, server: str) -> None:
    """Remove what is kept of a server, but not the names that were given to its tools."""
    conn.execute(delete(_TOOLS).where(_TOOLS.c.server == server))
    conn.execute(delete(_LOOKS).where(_LOOKS.c.server == server))


def _row(pin: Pin) -> dict[str, object]:
    return {
        "server": pin.server,
        "tool": pin.tool,
        "record": pin.record,
        "state": pin.state.value,
        "accepted": None if pin.accepted is None else pin.accepted.text,
        "pending": None if pin.pending is None else pin.pending.text,
        "first_ms": pin.first_ms,
        "accepted_ms": pin.accepted_ms,
        "accepted_by": pin.accepted_by,
    }


def _definition(text: str | None) -> Definition | None:
    return None if text is None else Definition.stored(text)
