"""Row A2: a row in the database is no evidence by itself; whatever is done to the log, verification names the place."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.audit.checkpoint import Head
from daemon.audit.events import AuditEvent
from daemon.audit.export import ExportedHead, export_head
from daemon.audit.log import AuditLog
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import VerifyReport, verify
from daemon.base.clock import IdSource, SystemClock
from daemon.core.principal import Principal
from daemon.db.engine import open_engine
from daemon.db.migration import migrate

AGENT = Principal.agent("ses_1")

EVENTS = 40
COLUMNS = ("id", "time", "type", "session", "actor", "action", "connector", "failure_class", "payload", "hash")


def make_log(folder: Path, *, events: int = EVENTS, checkpoint_every: int = 10) -> tuple[Path, CheckpointSigner]:
    """Write a log of so many events, with a checkpoint at its end."""
    path = folder / "aileron.db"
    migrate(path, backups=folder / "backups", now_ms=1)
    signer = CheckpointSigner.open(folder / "audit.key")
    clock = SystemClock()

    async def write() -> None:
        engine = open_engine(path)
        ids = IdSource(clock=clock, entropy=os.urandom)
        log = AuditLog.open(engine=engine, clock=clock, ids=ids, signer=signer, checkpoint_every=checkpoint_every)
        for number in range(events):
            await log.append(
                AuditEvent(
                    type="execution.started",
                    session="ses_1",
                    actor=AGENT,
                    action="ship",
                    connector="file://a/b",
                    failure_class="network_error",
                    payload={"n": number},
                )
            )
        await log.close()
        engine.dispose()

    asyncio.run(write())
    return path, signer


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, CheckpointSigner]:
    """Offer the bytes of a whole log, to be damaged in copies."""
    folder = tmp_path_factory.mktemp("log")
    path, signer = make_log(folder)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes(), signer


def damaged(
    written: tuple[bytes, CheckpointSigner], folder: Path, *statements: str, anchor: ExportedHead | None = None
) -> VerifyReport:
    """Apply statements to a copy and verify it."""
    path = folder / "copy.db"
    for leftover in (path, path.with_name("copy.db-wal"), path.with_name("copy.db-shm")):
        leftover.unlink(missing_ok=True)
    path.write_bytes(written[0])
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return verify(path, public_keys=written[1].public_keys(), anchors=() if anchor is None else (anchor,))


def test_an_untouched_log_is_whole(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path)
    assert report.ok
    assert report.events == EVENTS


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_column_names_its_event(written: tuple[bytes, CheckpointSigner], tmp_path: Path, column: str) -> None:
    report = damaged(written, tmp_path, f"UPDATE audit_events SET {column} = {column} || 'x' WHERE seq = 17")
    assert [(p.kind, p.seq) for p in report.problems] == [("modified", 17)]


def test_an_edited_link_names_its_event(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path, "UPDATE audit_events SET prev_hash = 'x' WHERE seq = 17")
    assert {p.seq for p in report.problems} == {17}


def test_a_value_set_to_null_names_its_event(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path, "UPDATE audit_events SET action = NULL WHERE seq = 17")
    assert [(p.kind, p.seq) for p in report.problems] == [("modified", 17)]


def test_a_deleted_event_leaves_a_named_gap(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path, "DELETE FROM audit_events WHERE seq = 17")
    assert [(p.kind, p.seq) for p in report.problems] == [("deleted", 17)]
    assert "event 17 is missing" in report.problems[0].message


def test_a_deleted_range_is_one_problem(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path, "DELETE FROM audit_events WHERE seq BETWEEN 5 AND 8")
    assert [(p.kind, p.seq) for p in report.problems] == [("deleted", 5)]


def test_a_deletion_that_was_closed_up_is_found(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(
        written,
        tmp_path,
        "DELETE FROM audit_events WHERE seq = 17",
        "UPDATE audit_events SET seq = -(seq - 1) WHERE seq > 17",
        "UPDATE audit_events SET seq = -seq WHERE seq < 0",
    )
    assert [(p.kind, p.seq) for p in report.problems] == [("deleted", 17)]


def test_an_event_put_in_is_found(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(
        written,
        tmp_path,
        "UPDATE audit_events SET seq = -(seq + 1) WHERE seq > 17",
        "UPDATE audit_events SET seq = -seq WHERE seq < 0",
        "INSERT INTO audit_events SELECT 18, 'aud_forged', time, type, session, actor, action, connector, "
        " failure_class, payload, hash, hash FROM audit_events WHERE seq = 17",
    )
    assert [(p.kind, p.seq) for p in report.problems] == [("inserted", 18)]


def test_two_events_that_changed_places_are_found(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(
        written,
        tmp_path,
        "UPDATE audit_events SET seq = -1 WHERE seq = 12",
        "UPDATE audit_events SET seq = 12 WHERE seq = 13",
        "UPDATE audit_events SET seq = 13 WHERE seq = -1",
    )
    assert [(p.kind, p.seq) for p in report.problems] in ([("reordered", 12)], [("reordered", 13)])


def test_a_log_from_elsewhere_does_not_fit_the_checkpoints(
    written: tuple[bytes, CheckpointSigner], tmp_path: Path
) -> None:
    other, _ = make_log(tmp_path)
    report = damaged(
        written,
        tmp_path,
        f"ATTACH '{other}' AS other",
        "DELETE FROM main.audit_events",
        "INSERT INTO main.audit_events SELECT * FROM other.audit_events",
    )
    assert [(p.kind, p.seq) for p in report.problems] == [("spliced", 10)]


def test_a_stretch_from_another_log_is_found_where_it_begins(
    written: tuple[bytes, CheckpointSigner], tmp_path: Path
) -> None:
    other, _ = make_log(tmp_path)
    report = damaged(
        written,
        tmp_path,
        f"ATTACH '{other}' AS other",
        "DELETE FROM main.audit_events WHERE seq BETWEEN 12 AND 15",
        "INSERT INTO main.audit_events SELECT * FROM other.audit_events WHERE seq BETWEEN 12 AND 15",
    )
    assert [(p.kind, p.seq) for p in report.problems] == [("spliced", 12)]


def test_an_end_cut_off_before_a_checkpoint_is_found(written: tuple[bytes, CheckpointSigner], tmp_path: Path) -> None:
    report = damaged(written, tmp_path, "DELETE FROM audit_events WHERE seq > 35")
    assert [(p.kind, p.seq) for p in report.problems] == [("truncated", 36)]


def test_an_end_cut_off_with_its_checkpoints_is_found_with_an_exported_head(
    written: tuple[bytes, CheckpointSigner], tmp_path: Path
) -> None:
    original = tmp_path / "original.db"
    original.write_bytes(written[0])
    with closing(sqlite3.connect(original)) as connection:
        last = connection.execute("SELECT seq, hash, time FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone()
    head = export_head(Head(*last), signer=written[1])
    cut = ("DELETE FROM audit_events WHERE seq > 35", "DELETE FROM audit_checkpoints WHERE seq > 35")
    assert damaged(written, tmp_path, *cut).ok, "without a head from elsewhere this cannot be seen"
    report = damaged(written, tmp_path, *cut, anchor=head)
    assert [(p.kind, p.seq) for p in report.problems] == [("truncated", 36)]
    forged = replace(head, seq=10)
    assert {p.kind for p in damaged(written, tmp_path, anchor=forged).problems} == {"bad_checkpoint"}


@pytest.mark.parametrize("column", ["hash", "time", "signature", "key_id"])
def test_an_edited_checkpoint_is_found(written: tuple[bytes, CheckpointSigner], tmp_path: Path, column: str) -> None:
    report = damaged(written, tmp_path, f"UPDATE audit_checkpoints SET {column} = 'x' || {column} WHERE seq = 20")
    assert [(p.kind, p.seq) for p in report.problems] == [("bad_checkpoint", 20)]


def test_a_page_of_the_file_that_is_noise_is_a_problem_and_no_traceback(
    written: tuple[bytes, CheckpointSigner], tmp_path: Path
) -> None:
    content = bytearray(written[0])
    middle = len(content) // 2
    content[middle : middle + 4096] = b"\xa5" * 4096
    path = tmp_path / "noise.db"
    path.write_bytes(bytes(content))
    assert not verify(path, public_keys=written[1].public_keys()).ok


def test_a_file_that_is_no_database_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(b"not a database, " * 1000)
    assert not verify(path, public_keys={}).ok


DAMAGE: list[Callable[[int], str]] = [
    lambda seq: f"DELETE FROM audit_events WHERE seq = {seq}",
    lambda seq: f"UPDATE audit_events SET payload = payload || ' ' WHERE seq = {seq}",
    lambda seq: f"UPDATE audit_events SET actor = 'user' WHERE seq = {seq}",
    lambda seq: f"UPDATE audit_events SET time = '2020-01-01T00:00:00.000Z' WHERE seq = {seq}",
    lambda seq: f"UPDATE audit_events SET hash = '{'0' * 64}' WHERE seq = {seq}",
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seq=st.integers(1, EVENTS), kind=st.integers(0, len(DAMAGE) - 1))
def test_any_damage_is_found_at_its_place(
    written: tuple[bytes, CheckpointSigner], tmp_path: Path, seq: int, kind: int
) -> None:
    report = damaged(written, tmp_path, DAMAGE[kind](seq))
    assert not report.ok
    assert [p.seq for p in report.problems] == [seq]
