"""An export is proved on another machine, with the file and the public key alone; what was done to it is named."""

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit.audit_room import an_event, open_room

from daemon.audit.events import AuditEvent
from daemon.audit.export import ExportedHead, export_lines
from daemon.audit.export_lines import rendered
from daemon.audit.exported import ExportReport, NoExportError, read_key, verify_export
from daemon.audit.query import EventFilter
from daemon.audit.signing import public_pem
from daemon.core.principal import DAEMON

EVENTS = 35


class Written:
    """The exports of one log, its public key, and an earlier head of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.by_type: list[str] = []
        self.stretch: list[str] = []
        self.key = b""
        self.early: ExportedHead | None = None


async def _write(folder: Path) -> Written:
    written = Written()
    async with open_room(folder, checkpoint_every=10) as room:
        for number in range(EVENTS):
            await room.log.append(an_event(number, event_type="test.odd" if number % 2 else "test.even"))
            if number == 20:
                written.early = room.log.head()
        await room.log.append(
            AuditEvent(
                type="test.hard", session=None, actor=DAEMON, payload={"text": "é\u202e\x7f\n", "n": 1.5, "z": None}
            )
        )
        (written.key,) = room.log.public_keys().values()

        def exported(**wanted: Any) -> list[str]:
            ((key_id, key),) = room.log.public_keys().items()
            with room.engine.connect() as connection:
                filters = EventFilter(**wanted)
                return list(export_lines(connection, filters, head=room.log.head(), key_id=key_id, public_key=key))

        written.lines, written.by_type = exported(), exported(type="test.odd")
        written.stretch = exported(after_seq=5, before_seq=31)
    return written


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return asyncio.run(_write(tmp_path_factory.mktemp("log")))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return asyncio.run(_write(tmp_path_factory.mktemp("other")))


def check(folder: Path, lines: list[str], **given: Any) -> ExportReport:
    file = folder / "audit.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    return verify_export(file, key=given.pop("key", None), **given)


def kinds(report: ExportReport) -> set[str]:
    return {problem.kind for problem in report.checked.problems}


def event(lines: list[str], seq: int) -> int:
    """Return the place of an event's line."""
    return next(n for n, line in enumerate(lines) if '"payload"' in line and json.loads(line)["seq"] == seq)


def checkpoint(lines: list[str]) -> int:
    return next(n for n, line in enumerate(lines) if '"export.checkpoint"' in line)


def changed(line: str, **values: Any) -> str:
    return rendered({**json.loads(line), **values})


def test_an_export_is_proved_up_to_its_signed_head_with_the_public_key_alone(written: Written, tmp_path: Path) -> None:
    report = check(tmp_path, written.lines, key=written.key)
    assert report.ok, report.checked.problems
    assert report.whole
    assert report.checked.events == EVENTS + 1 == report.signed_to == report.last


def test_the_key_comes_by_a_file_of_its_own_and_nothing_else_is_taken_for_one(written: Written, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(public_pem(written.key))
    assert read_key(file) == written.key
    for text in ("", "-----BEGIN PUBLIC KEY-----\n", written.key.hex(), written.lines[0]):
        file.write_text(text)
        with pytest.raises(NoExportError, match="not a public key"):
            read_key(file)


def test_without_a_key_a_forger_with_a_key_of_their_own_passes_and_with_it_not(
    written: Written, other: Written, tmp_path: Path
) -> None:
    forged = check(tmp_path, other.lines)
    assert forged.ok
    assert forged.key_id is None
    report = check(tmp_path, other.lines, key=written.key)
    assert {"wrong_key", "bad_checkpoint"} <= kinds(report)


ACTS: dict[str, tuple[Callable[[list[str]], list[str]], set[str]]] = {
    "cut behind an event": (lambda ls: ls[: event(ls, 20)], {"cut"}),
    "cut, and given an end that fits": (
        lambda ls: [*ls[: event(ls, 20)], rendered({"type": "export.ends", "events": 19, "checkpoints": 1})],
        {"truncated"},
    ),
    "cut at the front": (lambda ls: [ls[0], *ls[event(ls, 5) :]], {"deleted"}),
    "an event removed": (lambda ls: [*ls[: event(ls, 7)], *ls[event(ls, 8) :]], {"deleted"}),
    "two events swapped": (
        lambda ls: [*ls[: event(ls, 7)], ls[event(ls, 8)], ls[event(ls, 7)], *ls[event(ls, 9) :]],
        {"reordered"},
    ),
    "an event repeated": (lambda ls: [*ls[: event(ls, 8)], ls[event(ls, 7)], *ls[event(ls, 8) :]], {"inserted"}),
    "an event added at the end": (
        lambda ls: [*ls[:-1], changed(ls[-2], seq=EVENTS + 2), ls[-1]],
        {"modified", "incomplete"},
    ),
    "a payload changed": (
        lambda ls: [*ls[: event(ls, 7)], ls[event(ls, 7)].replace('"n":6', '"n":7'), *ls[event(ls, 8) :]],
        {"modified"},
    ),
    "null for false": (
        lambda ls: [*ls[:-2], ls[-2].replace('"action":null', '"action":false'), ls[-1]],
        {"modified"},
    ),
    "the case of an escape changed": (
        lambda ls: [*ls[:-2], ls[-2].replace("\\u00e9", "\\u00E9"), ls[-1]],
        {"modified"},
    ),
    "a space added": (lambda ls: [*ls[:5], ls[5].replace(":", ": ", 1), *ls[6:]], {"modified"}),
    "a checkpoint removed": (
        lambda ls: [*ls[: checkpoint(ls)], *ls[checkpoint(ls) + 1 :]],
        {"missing_checkpoint"},
    ),
    "a checkpoint moved": (
        lambda ls: [*ls[: checkpoint(ls)], ls[checkpoint(ls) + 1], ls[checkpoint(ls)], *ls[checkpoint(ls) + 2 :]],
        {"reordered"},
    ),
    "a checkpoint repeated": (lambda ls: [*ls[: checkpoint(ls) + 1], *ls[checkpoint(ls) :]], {"inserted"}),
    "a checkpoint's time changed": (
        lambda ls: [
            *ls[: checkpoint(ls)],
            changed(ls[checkpoint(ls)], time="2020-01-01T00:00:00.000Z"),
            *ls[checkpoint(ls) + 1 :],
        ],
        {"bad_checkpoint"},
    ),
    "the head taken out": (lambda ls: [changed(ls[0], head=None), *ls[1:]], {"no_head"}),
    "the head changed": (
        lambda ls: [changed(ls[0], head={**json.loads(ls[0])["head"], "seq": 20}), *ls[1:]],
        {"bad_checkpoint"},
    ),
    "said to be a stretch": (
        lambda ls: [changed(ls[0], filter={"after_seq": 4}), *ls[event(ls, 5) :]],
        {"part"},
    ),
    "said to be filtered": (lambda ls: [changed(ls[0], filter={"type": "x"}), *ls[1:]], {"filtered"}),
    "another export behind it": (lambda ls: [*ls, *ls], {"inserted"}),
    "the first line taken out": (lambda ls: ls[1:], {"no_head"}),
    "a line that is not JSON": (lambda ls: [*ls[:9], "{", *ls[9:]], {"modified"}),
}


@pytest.mark.parametrize("name", ACTS)
def test_what_is_done_to_an_export_is_found_and_named(written: Written, tmp_path: Path, name: str) -> None:
    act, expected = ACTS[name]
    report = check(tmp_path, act(written.lines), key=written.key)
    assert expected & kinds(report), report.checked.problems
    assert not report.ok


def test_every_single_changed_byte_is_found(written: Written, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    whole = "".join(f"{line}\n" for line in written.lines).encode()
    for place in range(0, len(whole), 131):
        raw = bytearray(whole)
        raw[place] ^= 1
        file.write_bytes(raw)
        try:
            assert not verify_export(file, key=written.key).ok, (place, whole[place - 20 : place + 20])
        except NoExportError:
            assert place < len(written.lines[0])


def test_a_checkpoint_of_another_log_is_named(written: Written, other: Written, tmp_path: Path) -> None:
    place = checkpoint(written.lines)
    strange = [*written.lines[:place], other.lines[checkpoint(other.lines)], *written.lines[place + 1 :]]
    report = check(tmp_path, strange, key=written.key)
    assert "bad_checkpoint" in kinds(report)


def test_a_filtered_export_says_that_it_proves_nothing_and_still_finds_a_changed_line(
    written: Written, tmp_path: Path
) -> None:
    assert kinds(check(tmp_path, written.by_type, key=written.key)) == {"filtered"}
    lines = [*written.by_type[:3], written.by_type[3].replace('"n":5', '"n":4'), *written.by_type[4:]]
    assert kinds(check(tmp_path, lines, key=written.key)) == {"filtered", "modified"}


def test_a_stretch_is_proved_only_if_a_stretch_was_expected_and_up_to_its_last_checkpoint(
    written: Written, tmp_path: Path
) -> None:
    assert kinds(check(tmp_path, written.stretch, key=written.key)) == {"part"}
    report = check(tmp_path, written.stretch, key=written.key, part=True)
    assert report.ok, report.checked.problems
    assert not report.whole
    assert (report.first, report.last, report.signed_to) == (6, 30, 30)
    gone = event(written.stretch, 12)
    cut = [*written.stretch[:gone], *written.stretch[gone + 1 :]]
    assert "deleted" in kinds(check(tmp_path, cut, key=written.key, part=True))


def test_an_export_of_an_older_version_is_read_and_a_head_that_was_kept_proves_it(
    written: Written, tmp_path: Path
) -> None:
    old = []
    for line in written.lines:
        found = json.loads(line)
        if "payload" in found:
            old.append(json.dumps({name: value for name, value in found.items() if name != "prev_hash"}))
    report = check(tmp_path, old, key=written.key)
    assert kinds(report) == {"no_head"}
    assert written.early is not None
    assert check(tmp_path, old, key=written.key, anchors=[written.early]).ok
    older = replace(written.early, hash="0" * 64)
    assert not check(tmp_path, old, key=written.key, anchors=[older]).ok
    assert "deleted" in kinds(check(tmp_path, [*old[:9], *old[10:]], key=written.key, anchors=[written.early]))


def test_a_file_that_is_no_export_is_no_damaged_one(tmp_path: Path) -> None:
    for text in ("", "hello\n", "[]\n", '{"a":1}\n', "\0" * 4000):
        (tmp_path / "file").write_text(text)
        with pytest.raises(NoExportError, match="no export"):
            verify_export(tmp_path / "file", key=None)


def test_a_large_export_is_verified_in_little_memory(written: Written, tmp_path: Path) -> None:
    """The lines are not a log, and said to be filtered: what is measured is what reading many of them holds."""
    line = changed(written.lines[1], payload={"text": "x" * 4000})
    with (tmp_path / "large").open("w") as file:
        file.write(changed(written.lines[0], filter={"type": "x"}) + "\n")
        for seq in range(1, 2501):
            file.write(line.replace('"seq":1,', f'"seq":{seq},') + "\n")
    tracemalloc.start()
    try:
        assert not verify_export(tmp_path / "large", key=written.key).ok
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 4 * 2**20 < 2 * 4 * 2**20 < (tmp_path / "large").stat().st_size
