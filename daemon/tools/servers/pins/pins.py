"""The pins of all servers.

They are held in memory, so that a call asks no database, and written together with the event that says why.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import DAEMON, Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.db.reader import Reader
from daemon.tools.servers.news import News
from daemon.tools.servers.pins import store
from daemon.tools.servers.pins.difference import ToolReview, reviews
from daemon.tools.servers.pins.names import exposed_name
from daemon.tools.servers.pins.pin import Pin, PinState, compared, taken_as_they_are
from daemon.tools.servers.pins.reading import LeftOut, Offered, Reading
from daemon.tools.servers.values import ServerConfig

_READ_AT_ONCE = 50
_MOST_NAMED = 50
"""How many tools that are left out a line of the daemon's own log names; it always says how many there are."""
_log = structlog.get_logger("daemon")


class Pins:
    """What is known of the tools of servers. All of it belongs to the event loop's thread.

    What is in memory is what is on disk: it changes after the commit, and one change goes on at a time.
    """

    def __init__(self, *, audit: AuditLog, reader: Reader, clock: Clock) -> None:
        self._audit = audit
        self._reader = reader
        self._clock = clock
        self._changing = asyncio.Lock()
        self._looked: set[str] = set()
        self._pins: dict[str, dict[str, Pin]] = {}
        self._by_record: dict[str, Pin] = {}
        self._given: dict[str, store.Name] = {}
        self._names: dict[tuple[str, str, str], str] = {}
        self._left_out: dict[str, Sequence[LeftOut]] = {}
        self._news = News()
        self.version = 0
        """Becomes another number with each change, for those who remember what they made of the pins."""

    async def load(self) -> None:
        """Read back what is kept."""
        kept = await self._reader.read(store.read_all)
        self._looked = set(kept.looked)
        for pin in kept.pins:
            self._keep(pin)
        for name in kept.names:
            self._give(name)
        self._changed()

    # What is known

    def looked_at(self, server: str) -> bool:
        """Say whether a server's tools were ever looked at."""
        return server in self._looked

    def pinned(self, server: str) -> Sequence[Pin]:
        """Return all that is kept of a server's tools, also of those that are withheld or gone."""
        return tuple(self._pins.get(server, {}).values())

    def find(self, record: str) -> Pin | None:
        """Return the tool with this name in records."""
        return self._by_record.get(record)

    def name_of(self, pin: Pin, prefix: str) -> str | None:
        """Return the name that agents call a tool by; None before `name_tools` has given it one."""
        return self._names.get((prefix, pin.server, pin.tool))

    def called(self, name: str) -> Pin | None:
        """Return the tool that agents mean by a name."""
        given = self._given.get(name)
        return None if given is None else self._pins.get(given.server, {}).get(given.tool)

    def left_out(self, server: str) -> Sequence[LeftOut]:
        """Return what the server offered at the last look and could not be taken, and why."""
        return self._left_out.get(server, ())

    def difference(self, server: str) -> Sequence[ToolReview]:
        """Return what a person has to look at before it may be called."""
        return reviews(self.pinned(server))

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield at each change from now on."""
        return self._news.changes()

    # What changes it

    async def take(self, server: ServerConfig, said: Sequence[Any]) -> None:
        """Compare what a server offers with what is kept, and withhold what a person has not accepted.

        The first look takes what is there as it is. Raises the Failure of a log that cannot be written.
        """
        async with self._changing:
            known, first = self._pins.get(server.name, {}), server.name not in self._looked
            offered = await self._read(server.name, said, known)
            now_ms = self._clock.now_ms()
            if first:
                pins = taken_as_they_are(offered.definitions, names=offered.records, server=server.name, now_ms=now_ms)
            else:
                pins = compared(known, offered.definitions, names=offered.records, server=server.name, now_ms=now_ms)
            self._say_left_out(server.name, offered.left_out)
            if not pins and not first:
                return
            names = self._new_names(server, pins.values())

            def keep(conn: Connection) -> None:
                if first:
                    store.write_look(conn, server.name, now_ms)
                store.write_pins(conn, server.name, tuple(pins.values()))
                store.write_names(conn, names)

            await self._audit.append(_look_event(server.name, pins, offered.left_out, first=first), effect=keep)
            self._looked.add(server.name)
            self._remember(pins.values(), names)
            _log.info("the tools of a server were looked at", server=server.name, first=first, changed=len(pins))

    async def _read(self, server: str, said: Sequence[Any], known: Mapping[str, Pin]) -> Offered:
        reading = Reading(server, known={pin.record: pin.tool for pin in known.values()})
        for number, each in enumerate(said):
            reading.take(each)
            if number % _READ_AT_ONCE == 0:
                await asyncio.sleep(0)  # thousands of definitions take a while, and others want to be served meanwhile
        return reading.offered()

    async def accept(self, server: str, digests: Collection[str], by: Principal) -> Sequence[Pin]:
        """Let tools be called again whose definitions a person has looked at; return them.

        Raises a Failure, and accepts none, if one of the digests is not that of a definition that waits.
        """
        async with self._changing:
            waiting = {pin.pending.digest: pin for pin in self.pinned(server) if pin.pending is not None}
            if unknown := sorted(set(digests) - waiting.keys()):
                raise Failure(
                    FailureClass.NOT_FOUND,
                    f"What was to be accepted of {server} is not what waits now: it may have changed again since it "
                    f"was shown. Nothing was accepted: look once more with `aileron server review {server}`.",
                    boundary=Boundary.USER,
                    details={"unknown": unknown[:_MOST_NAMED]},
                )
            now_ms = self._clock.now_ms()
            chosen = [pin for pin in self.pinned(server) if pin.pending is not None and pin.pending.digest in digests]
            accepted = [pin.after_review(now_ms=now_ms, by=str(by)) for pin in chosen]
            if accepted:
                payload = {
                    Attr.SERVER_NAME: server,
                    Attr.SERVER_TOOLS: [
                        {"tool": visible(pin.tool), "digest": pin.accepted.digest}
                        for pin in accepted
                        if pin.accepted is not None
                    ],
                }
                event = AuditEvent(type=EventType.SERVER_TOOLS_ACCEPTED, session=None, actor=by, payload=payload)
                await self._audit.append(event, effect=lambda conn: store.write_pins(conn, server, accepted))
                self._remember(accepted, ())
            return accepted

    async def forget(self, server: str, by: Principal) -> None:
        """Forget what a server's tools were, because a person removed the server; their names stay theirs."""
        async with self._changing:
            if server not in self._looked:
                return
            event = AuditEvent(
                type=EventType.SERVER_FORGOTTEN, session=None, actor=by, payload={Attr.SERVER_NAME: server}
            )
            await self._audit.append(event, effect=lambda conn: store.forget(conn, server))
            self._looked.discard(server)
            for pin in self._pins.pop(server, {}).values():
                self._by_record.pop(pin.record, None)
            self._left_out.pop(server, None)
            self._changed()

    async def name_tools(self, server: ServerConfig) -> None:
        """Give names to tools that have none with this prefix, because the person chose another one."""
        async with self._changing:
            if names := self._new_names(server, self._pins.get(server.name, {}).values()):
                payload = {Attr.SERVER_NAME: server.name, Attr.SERVER_TOOLS_COUNT: len(names)}
                event = AuditEvent(type=EventType.SERVER_TOOLS_CHANGED, session=None, actor=DAEMON, payload=payload)
                await self._audit.append(event, effect=lambda conn: store.write_names(conn, names))
                self._remember((), names)

    # Memory

    def _new_names(self, server: ServerConfig, pins: Collection[Pin]) -> Sequence[store.Name]:
        new: dict[str, store.Name] = {}
        for pin in pins:
            if (server.prefix, server.name, pin.tool) not in self._names:
                name = exposed_name(server.prefix, pin.tool, lambda each: each in self._given or each in new)
                new[name] = store.Name(name, server.prefix, server.name, pin.tool)
        return tuple(new.values())

    def _remember(self, pins: Collection[Pin], names: Sequence[store.Name]) -> None:
        for pin in pins:
            self._keep(pin)
        for name in names:
            self._give(name)
        self._changed()

    def _keep(self, pin: Pin) -> None:
        self._pins.setdefault(pin.server, {})[pin.tool] = pin
        self._by_record[pin.record] = pin

    def _give(self, name: store.Name) -> None:
        self._given[name.name] = name
        self._names[name.prefix, name.server, name.tool] = name.name

    def _changed(self) -> None:
        self.version += 1
        self._news.tell()

    def _say_left_out(self, server: str, left_out: Sequence[LeftOut]) -> None:
        if left_out and left_out != self._left_out.get(server):
            named = [str(each) for each in left_out[:_MOST_NAMED]]
            _log.warning("tools of a server are left out", server=server, count=len(left_out), tools=named)
        self._left_out[server] = left_out


def _look_event(server: str, pins: Mapping[str, Pin], left_out: Sequence[LeftOut], *, first: bool) -> AuditEvent:
    """Return what the log says of a look: the digests that were taken, what is withheld now, and what is gone."""
    payload: dict[str, Any] = {Attr.SERVER_NAME: server, Attr.SERVER_TOOLS_COUNT: len(pins)}
    payload[Attr.SERVER_TOOLS] = [
        {"tool": visible(pin.tool), "state": pin.state.value, "digest": _digest(pin)} for pin in pins.values()
    ]
    if not first:
        payload[Attr.SERVER_TOOLS_WITHHELD] = sum(pin.withheld for pin in pins.values())
        payload[Attr.SERVER_TOOLS_GONE] = sum(pin.state is PinState.GONE for pin in pins.values())
    if left_out:
        payload[Attr.SERVER_TOOLS_LEFT_OUT] = len(left_out)
    kind = EventType.SERVER_TOOLS_PINNED if first else EventType.SERVER_TOOLS_CHANGED
    return AuditEvent(type=kind, session=None, actor=DAEMON, payload=payload)


def _digest(pin: Pin) -> str | None:
    definition = pin.pending or pin.accepted
    return None if definition is None else definition.digest
