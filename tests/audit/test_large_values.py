"""Large values lie in files named by their digest, under a quota; the log stays small and keeps the digest."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from audit.audit_room import StillClock

from daemon.audit.attachments import Attachments
from daemon.audit.budget import LogBudget
from daemon.audit.events import AuditEvent
from daemon.audit.large import MAX_PAYLOAD, NAMES, LargeValues
from daemon.core.principal import Principal

AGENT = Principal.agent("ses_1")

MIB = 1024 * 1024


def an_event(arguments: object, session: str = "ses_1") -> AuditEvent:
    payload = {"aileron.execution.id": "exe_1", "aileron.action.arguments": arguments}
    return AuditEvent(type="execution.started", session=session, actor=AGENT, payload=payload)


def large_values(folder: Path, *, quota: int = MIB) -> LargeValues:
    budget = LogBudget(clock=StillClock(), database=folder / "aileron.db", budget=64 * MIB, session_hourly=64 * MIB)
    return LargeValues(Attachments(folder / "attachments", quota=quota), budget)


async def test_a_large_value_is_moved_and_can_be_read_back(tmp_path: Path) -> None:
    large = large_values(tmp_path)
    arguments = {"text": "ä\n" * 50_000}
    (slim,) = await large.moved(an_event(arguments))
    assert len(json.dumps(slim.payload)) < MAX_PAYLOAD
    assert slim.payload["aileron.execution.id"] == "exe_1"
    named = slim.payload[NAMES]["aileron.action.arguments"]
    (path,) = (tmp_path / "attachments" / "ses_1").iterdir()
    assert path.name == named["sha256"]
    assert path.stat().st_size == named["bytes"]
    assert path.stat().st_mode & 0o777 == 0o600
    read = await large.read("ses_1", slim.payload)
    assert json.loads(read["aileron.action.arguments"]) == arguments


async def test_only_as_much_is_moved_as_must_be(tmp_path: Path) -> None:
    event = AuditEvent(
        type="execution.failed",
        session="ses_1",
        actor=AGENT,
        payload={"small": "x" * 8000, "medium": "y" * 9000, "large": "z" * 90_000},
    )
    (slim,) = await large_values(tmp_path).moved(event)
    assert set(slim.payload[NAMES]) == {"large", "medium"}
    assert slim.payload["small"] == "x" * 8000


async def test_a_file_that_was_changed_or_is_gone_is_not_taken_for_the_value(tmp_path: Path) -> None:
    large = large_values(tmp_path)
    (slim,) = await large.moved(an_event("x" * 40_000))
    (path,) = (tmp_path / "attachments" / "ses_1").iterdir()
    path.write_text("something else")
    assert await large.read("ses_1", slim.payload) == {"aileron.action.arguments": None}
    path.unlink()
    assert await large.read("ses_1", slim.payload) == {"aileron.action.arguments": None}


@pytest.mark.parametrize("name", ["../../vault.json", "/etc/passwd", "", "0" * 63, None, 7])
async def test_a_name_that_is_no_digest_reads_nothing(tmp_path: Path, name: object) -> None:
    (tmp_path / "vault.json").write_text("{}")
    payload = {NAMES: {"aileron.action.arguments": {"sha256": name}}}
    assert await large_values(tmp_path).read("ses_1", payload) == {"aileron.action.arguments": None}


async def test_a_session_that_writes_without_end_pushes_out_its_own_and_that_is_said(tmp_path: Path) -> None:
    large = large_values(tmp_path, quota=MIB)
    (kept,) = await large.moved(an_event("the quiet one " * 4000, "ses_quiet"))
    told = []
    for number in range(40):
        _, *further = await large.moved(an_event(f"{number:08}" * 10_000, "ses_loud"))
        told += further
    assert (await large.read("ses_quiet", kept.payload))["aileron.action.arguments"] is not None
    held = sum(path.stat().st_size for path in (tmp_path / "attachments").glob("*/*"))
    assert held <= MIB
    assert {event.type for event in told} == {"audit.attachments_removed"}
    removed = sum(event.payload["aileron.attachments.count"] for event in told)
    assert removed == 41 - len(list((tmp_path / "attachments").glob("*/*")))


async def test_what_a_killed_daemon_left_is_counted_and_its_drafts_go(tmp_path: Path) -> None:
    await large_values(tmp_path).moved(an_event("x" * 40_000))
    (path,) = (tmp_path / "attachments" / "ses_1").iterdir()
    path.with_name(f".{path.name}.aileron-draft").write_text("half")
    again = Attachments(tmp_path / "attachments", quota=MIB)
    assert again.size == path.stat().st_size
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_the_same_value_twice_takes_room_once(tmp_path: Path) -> None:
    large = large_values(tmp_path)
    await asyncio.gather(*(large.moved(an_event("same " * 10_000)) for _ in range(20)))
    assert len(list((tmp_path / "attachments").glob("*/*"))) == 1


async def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "attachments").mkdir()
    (tmp_path / "attachments" / "ses_1").write_text("in the way")
    with pytest.raises(OSError, match=os.strerror(20) + "|exists"):
        await large_values(tmp_path).moved(an_event("x" * 40_000))
