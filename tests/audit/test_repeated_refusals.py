"""Refusals that repeat are counted, and each caller still learns an event that speaks of theirs."""

import asyncio
import json
import os
from pathlib import Path

from audit.audit_room import AuditRoom, open_room

from daemon.audit.events import AuditEvent
from daemon.audit.repeats import LISTED, WINDOW_SECONDS, Repeats
from daemon.base.clock import IdSource
from daemon.core.principal import Principal

AGENT = Principal.agent("ses_1")


def refused(session: str = "ses_1", kind: str = "not_found") -> AuditEvent:
    return AuditEvent(
        type="action.refused",
        session=session,
        actor=AGENT,
        action="nope",
        failure_class=kind,
        payload={"n": 1},
    )


def repeats_of(room: AuditRoom) -> Repeats:
    return Repeats(audit=room.log, clock=room.clock, ids=IdSource(clock=room.clock, entropy=os.urandom))


async def test_refusals_at_once_are_listed_up_to_a_number_and_then_counted(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        repeats = repeats_of(room)
        ids = await asyncio.gather(*(repeats.record(refused()) for _ in range(500)))
        await repeats.close()
        events = room.events()
    assert len(events) == LISTED + 2
    numbers = json.loads(events[-1].payload)
    assert numbers["aileron.refusals.count"] == 500 - LISTED
    assert numbers["aileron.refusals.by_class"] == {"not_found": 500 - LISTED}
    assert set(ids) <= {event.id for event in events}  # also the counted ones name an event that is there
    assert numbers["aileron.refusals.counted_since"] in ids


async def test_an_hour_of_refusals_grows_the_log_by_a_bound(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        repeats = repeats_of(room)
        minutes = 60
        for _ in range(minutes):
            for _ in range(100):
                await repeats.record(refused())
            room.clock.ms += int(WINDOW_SECONDS * 1000)
            await repeats.close_due()
        events = room.events()
    assert len(events) == minutes * (LISTED + 2)
    counted = sum(json.loads(event.payload).get("aileron.refusals.count", 0) for event in events)
    assert counted == minutes * (100 - LISTED)


async def test_a_quiet_session_is_listed_while_another_one_is_counted(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        repeats = repeats_of(room)
        for _ in range(100):
            await repeats.record(refused("ses_loud"))
        await repeats.record(refused("ses_quiet"))
        quiet = [event for event in room.events() if event.session == "ses_quiet"]
    assert [event.action for event in quiet] == ["nope"]


async def test_numbers_that_cannot_be_written_are_kept(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        repeats = repeats_of(room)
        for _ in range(LISTED + 5):
            await repeats.record(refused())
        with room.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(FAIL, 'full'); END"
            )
        room.clock.ms += int(WINDOW_SECONDS * 1000)
        await repeats.close_due()
        with room.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER full")
        await repeats.close_due()
        last = json.loads(room.events()[-1].payload)
    assert last["aileron.refusals.count"] == 5
