"""Verification of a log that is in use, of one that lies on a disk that cannot be written, and of one in pieces."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from audit.audit_room import AuditRoom, an_event, open_room

from daemon.audit.expected import Expected
from daemon.audit.verification import VerifyReport, verify
from daemon.db.reader import Reader

PAGE = 4096


async def test_a_log_that_is_being_written_verifies(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_every=7) as room:
        reader = Reader(room.engine)
        done = asyncio.Event()

        async def write() -> None:
            while not done.is_set():
                await asyncio.gather(*(room.log.append(an_event(n)) for n in range(20)))

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            seen = 0
            while seen < 200:
                anchor = room.log.head()
                report = await reader.read(
                    lambda connection, anchor=anchor: room.log.verify(connection, anchor=anchor)  # type: ignore[misc]
                )
                assert report.problems == []
                assert report.events >= max(anchor.seq, seen)
                seen = report.events
                assert room.verify().problems == []
            done.set()
        await reader.close()


def new_folder(path: Path) -> Path:
    """Make a folder and return it."""
    path.mkdir()
    return path


async def written(folder: Path, *, events: int = 400, checkpoint_every: int = 1000) -> AuditRoom:
    """Return a closed room with so many events, all of them in the one file."""
    async with open_room(folder, checkpoint_every=checkpoint_every) as room:
        await room.log.append(*(an_event(n) for n in range(events)))
    with closing(sqlite3.connect(room.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return room


async def test_a_copy_that_cannot_be_written_verifies(tmp_path: Path) -> None:
    room = await written(new_folder(tmp_path / "log"))
    uri_like = tmp_path / "a folder?mode=rw#x"
    (tmp_path / "log").rename(uri_like)
    uri_like.chmod(0o500)
    report = verify(uri_like / "aileron.db", public_keys=room.signer.public_keys())
    uri_like.chmod(0o700)
    assert (report.ok, report.events) == (True, 400)


def noise(room: AuditRoom, page: int) -> VerifyReport:
    """Overwrite a page with noise, verify, and put it back."""
    content = room.path.read_bytes()
    damaged = bytearray(content)
    damaged[page * PAGE : (page + 1) * PAGE] = b"\xa5" * PAGE
    room.path.write_bytes(damaged)
    report = room.verify()
    room.path.write_bytes(content)
    return report


async def test_noise_in_any_page_is_a_problem_and_what_is_behind_it_is_still_read(tmp_path: Path) -> None:
    room = await written(tmp_path)
    pages = room.path.stat().st_size // PAGE
    assert pages > 30
    reports = [noise(room, page) for page in range(pages)]
    assert all(report.problems for report in reports)
    # A leaf of the table takes some events with it; the others are read and checked all the same.
    partly = [report for report in reports if 0 < report.events < 400]
    assert partly
    for report in partly:
        kinds = [problem.kind for problem in report.problems]
        assert kinds == ["unreadable"], report.problems
        assert "cannot be read" in report.problems[0].message
    assert max(report.events for report in partly) > 300


@pytest.mark.parametrize("statement", ["DROP TABLE audit_checkpoints", "DELETE FROM audit_checkpoints"])
async def test_checkpoints_that_were_taken_away_are_missed_by_who_knows_the_last(
    tmp_path: Path, statement: str
) -> None:
    room = await written(tmp_path, events=300, checkpoint_every=100)
    with closing(sqlite3.connect(room.path)) as connection:
        connection.execute(statement)
        connection.commit()
    head = room.log.status()
    expected = Expected(checkpoint=(head.head_seq, head.head_hash), number=3)
    report = verify(room.path, public_keys=room.signer.public_keys(), expected=expected)
    missing = [problem.seq for problem in report.problems if problem.kind == "missing_checkpoint"]
    assert missing == [300]


async def test_a_lost_key_is_one_problem_and_not_one_for_each_checkpoint(tmp_path: Path) -> None:
    async with open_room(tmp_path, checkpoint_every=1) as room:
        for n in range(50):
            await room.log.append(an_event(n))
    report = verify(room.path, public_keys={})
    assert [problem.kind for problem in report.problems] == ["bad_checkpoint"]
    assert "50 checkpoints" in report.problems[0].message


async def test_no_file_and_a_file_without_a_log_are_told_apart_from_damage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path, tmp_path / "other.db"):
        if path.suffix and path.stem == "other":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE t (n)")
        report = verify(path, public_keys={})
        assert [problem.kind for problem in report.problems] == ["unreadable"]
    assert not (tmp_path / "none.db").exists()
