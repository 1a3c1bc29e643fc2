"""The index of the log: behind it by some hundred events, never wrong, and made anew where it might be."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from audit.audit_room import AGENT, AuditRoom, an_event, open_room
from former import make_former
from sqlalchemy import Connection, text

from daemon.audit.filing import AT_ONCE, wrongly_filed
from daemon.audit.query import EventFilter, query_events
from daemon.db.migration import migrate

RARE = "test.rare"


def filed(room: AuditRoom) -> list[int]:
    """Return the numbers that are in the index."""
    with room.engine.connect() as connection:
        return list(connection.execute(text("SELECT seq FROM audit_index ORDER BY seq")).scalars())


def rare(room: AuditRoom, **wanted: object) -> list[int]:
    """Return the numbers of the rare events, as a filter finds them."""
    with room.engine.connect() as connection:
        return [event.seq for event in query_events(connection, EventFilter(type=RARE, **wanted))]  # type: ignore[arg-type]


async def write(room: AuditRoom, count: int, *, at_once: int = 64) -> None:
    """Write events, of which every hundredth is a rare one."""
    head = room.log.status().head_seq
    numbers = range(head + 1, head + count + 1)
    for begin in range(0, count, at_once):
        part = numbers[begin : begin + at_once]
        await asyncio.gather(
            *(room.log.append(an_event(n, event_type=RARE if n % 100 == 0 else "test.happened")) for n in part)
        )


async def test_events_are_found_whether_they_are_filed_or_not_in_both_orders_and_to_any_limit(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE - 1)
        assert (filed(room), rare(room)) == ([], [100, 200])
        await write(room, 2 * AT_ONCE)
        numbers = filed(room)
        assert numbers == list(range(1, len(numbers) + 1))
        assert 2 * AT_ONCE <= len(numbers) < room.log.status().head_seq == 3 * AT_ONCE - 1
        every = [100, 200, 300, 400, 500, 600, 700]
        assert rare(room) == every
        assert rare(room, newest_first=True) == every[::-1]
        assert rare(room, limit=3) == every[:3]
        assert rare(room, limit=3, newest_first=True) == every[:-4:-1]
        assert rare(room, after_seq=200, before_seq=700) == every[2:-1]
        assert room.verify().ok


async def test_a_daemon_goes_on_where_the_one_before_has_filed(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE + 10)
        before = filed(room)
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE)
        assert filed(room)[: len(before)] == before
        assert len(filed(room)) > len(before)
        assert room.verify().ok


async def test_what_was_undone_is_not_filed(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE - 2)

        def refuse(_: Connection) -> None:
            raise RuntimeError("no")

        answers = await asyncio.gather(
            *(room.log.append(an_event(n)) for n in range(3)),
            room.log.append(an_event(9), effect=refuse),
            room.log.append(an_event(9, event_id="aud_twice"), an_event(9, event_id="aud_twice")),
            return_exceptions=True,
        )
        assert [isinstance(answer, Exception) for answer in answers] == [False] * 3 + [True] * 2
        await write(room, AT_ONCE)
        assert room.verify().ok
        assert len(filed(room)) >= AT_ONCE


@pytest.mark.parametrize("left", ["", "DELETE FROM audit_index WHERE seq < 7"], ids=["whole", "with a gap"])
async def test_an_index_that_goes_beyond_the_log_is_made_anew_and_does_not_hide_what_comes(
    tmp_path: Path, left: str
) -> None:
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE + 10)
    with closing(sqlite3.connect(tmp_path / "aileron.db")) as connection:
        connection.execute("INSERT INTO audit_index (seq, time, type) VALUES (1000000, 'x', 'x')")
        connection.execute(left)
        connection.commit()
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE)
        assert rare(room) == [100, 200, 300, 400, 500]
        assert room.verify().ok


CHANGES: dict[str, tuple[str, int]] = {
    "an event that was taken out": ("DELETE FROM audit_index WHERE seq = 100", 100),
    "an event that was filed as another": ("UPDATE audit_index SET type = 'test.happened' WHERE seq = 100", 100),
    "a session that was taken away": ("UPDATE audit_index SET session = NULL WHERE seq = 7", 7),
    "an event that there is not": ("INSERT INTO audit_index (seq, time, type) VALUES (5000, 'x', 'x')", 5000),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_verification_names_an_event_that_filters_would_miss(tmp_path: Path, change: str) -> None:
    statement, seq = CHANGES[change]
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE + 10)
    with closing(sqlite3.connect(tmp_path / "aileron.db")) as connection:
        connection.execute(statement)
        connection.commit()
    [problem] = room.verify().problems
    assert (problem.kind, problem.seq) == ("misfiled", seq)
    assert f"event {seq}" in problem.message


async def test_who_goes_on_with_a_log_whose_index_was_changed_gets_a_new_one(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await write(room, AT_ONCE + 10)
        with closing(sqlite3.connect(room.path)) as connection:
            connection.execute(CHANGES["an event that was filed as another"][0])
            connection.commit()
        assert [problem.kind for problem in room.verify_live().problems] == ["misfiled"]
        await room.log.resume(because="I looked", actor=AGENT, session=None)
        assert rare(room) == [100, 200]
        await write(room, 1)
        assert len(filed(room)) > AT_ONCE
        assert "misfiled" not in {problem.kind for problem in room.verify_live().news}


def former_log(path: Path) -> None:
    """Make the database of the version before, with some events."""
    make_former(path, "0007")
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO audit_events VALUES (?, ?, 't', ?, 'ses_1', 'a', NULL, NULL, NULL, '{}', 'p', 'h')",
            [(seq, f"aud_{seq}", RARE if seq == 3 else "test.happened") for seq in range(1, 6)],
        )
        connection.commit()


def test_the_events_of_a_version_before_are_filed_at_the_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "aileron.db"
    former_log(path)
    migrate(path, backups=tmp_path / "backups", now_ms=1)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT seq FROM audit_index WHERE type = ?", (RARE,)).fetchall() == [(3,)]
        assert wrongly_filed(connection) is None
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE tbl_name = 'audit_events'")]
        assert len(names) == 2, names  # the table, and the index of its ids


def test_a_copy_of_a_log_of_a_version_before_has_nothing_wrongly_filed(tmp_path: Path) -> None:
    former_log(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        assert wrongly_filed(connection) is None
