"""The log alone tells what landed, what did not, why, and by whose decision."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from audit.audit_room import open_room
from workspaces.landing_room import At, LandingRoom, added, file_entry

from daemon.audit.large import MAX_PAYLOAD
from daemon.core.canonical import canonical_json
from daemon.core.principal import DAEMON, Means, Principal
from daemon.core.wire_paths import from_wire
from daemon.workspaces import records
from daemon.workspaces.landed import Ending, NotLanded, Recovered
from daemon.workspaces.values import Entry, Kind

YOU = Principal.person(Means.CLI)

LANDING = "aud_0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"


class CutOff(BaseException):
    """Stands for the end of the daemon."""


def _story(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Tell from the log alone what became of each landing."""
    told: dict[str, Any] = {}
    for event in events:
        payload, kind = event["payload"], event["type"]
        if kind == "workspace.landing_started":
            told[event["id"]] = {"by": event["actor"], "how": payload["aileron.workspace.decided"], "end": None}
            told[event["id"]] |= {"paths": {}, "left": {}}
            continue
        story = told[payload["aileron.workspace.landing"]]
        items = payload.get("aileron.workspace.items", [])
        if kind == "workspace.landing_paths":
            story["paths"] |= {from_wire(each["path"]): (each["old"], each["new"]) for each in items}
        elif kind == "workspace.landing_left":
            story["left"] |= {from_wire(each["path"]): each["why"] for each in items}
        else:
            story["end"] = kind
    for story in told.values():
        landed = story["end"] == "workspace.landed"
        story["landed"] = {path: each for path, each in story["paths"].items() if landed and path not in story["left"]}
    return told


def _plain(name: str | None, kind: str, actor: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": kind, "actor": actor, "payload": payload}


def _as_told(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    return "folder" if entry.kind is Kind.FOLDER else f"file {entry.digest}"


async def test_the_log_alone_tells_what_landed_and_by_whose_decision(tmp_path: Path) -> None:
    room = LandingRoom(tmp_path / "room")
    room.has("changed", "old")
    room.has("conflict", "old")
    room.has("gone", "old")
    room.wrote("changed", "new")
    room.wrote("conflict", "agent")
    room.wrote("odd \udcff\n\x1b[1m", "new")
    room.deleted("gone")
    shown = (*room.show(), added(".git/config"))
    room.has("conflict", "person")
    async with open_room(tmp_path) as audit:
        begun = await audit.log.append(
            *records.started(landing=LANDING, session="ses_1", by=YOU, how="question", changes=shown)
        )
        assert begun.records[0].id == LANDING
        landed = room.land(changes=shown, note=LANDING)
        await audit.log.append(*records.landed(landing=LANDING, session="ses_1", by=YOU, what=landed))
        events = [
            {"id": each.id, "type": each.type, "actor": each.actor, "payload": json.loads(each.payload)}
            for each in audit.events()
        ]
        assert audit.verify().ok
    story = _story([event for event in events if event["type"].startswith("workspace.")])[LANDING]
    assert (story["by"], story["how"]) == (str(YOU), "question")
    assert story["landed"] == {each.path: (_as_told(each.old), _as_told(each.new)) for each in landed.paths}
    assert set(story["landed"]) == {"changed", "gone", "odd \udcff\n\x1b[1m"}
    assert set(story["left"]) == {"conflict", ".git/config"}
    assert (room.person / "changed").read_text() == "new"
    assert story["landed"]["changed"] == (f"file {file_entry(b'old').digest}", f"file {file_entry(b'new').digest}")


async def test_a_large_landing_is_told_in_pieces_that_each_stand_in_a_row(tmp_path: Path) -> None:
    changes = [added(f"folder/{number:05}/file", b"x" * number) for number in range(2000)]
    changes += [added("\x01" * 4000 + str(number)) for number in range(3)]
    events = records.started(landing=LANDING, session="ses_1", by=YOU, how="auto", changes=changes)
    assert max(len(canonical_json(event.payload)) for event in events) < MAX_PAYLOAD
    left = tuple(NotLanded(path=each.path, why=each.path, kept=f"1/{each.path}") for each in changes)
    undone = records.recovered(
        session="ses_1", by=DAEMON, what=Recovered(ending=Ending.UNDONE, note=LANDING, left=left)
    )
    assert max(len(canonical_json(event.payload)) for event in undone) < MAX_PAYLOAD
    story = _story(
        [{"id": e.id, "type": e.type, "actor": str(e.actor), "payload": dict(e.payload)} for e in (*events, *undone)]
    )
    assert set(story[LANDING]["paths"]) == {change.path for change in changes}
    assert set(story[LANDING]["left"]) == {change.path for change in changes}
    assert not story[LANDING]["landed"]


def test_a_landing_that_was_cut_off_after_its_commit_is_told_in_full(tmp_path: Path) -> None:
    room = LandingRoom(tmp_path / "room")
    room.has("conflict", "old")
    room.wrote("conflict", "agent")
    room.wrote("file", "new")
    shown = (*room.show(), added(".git/config"))
    room.has("conflict", "person")
    with pytest.raises(CutOff):
        room.land(changes=shown, note=LANDING, faults=At("landing.committed", _cut))
    events = (
        *records.started(landing=LANDING, session="ses_1", by=YOU, how="page", changes=shown),
        *records.recovered(session="ses_1", by=DAEMON, what=room.recover()),
    )
    story = _story([_plain(e.id, e.type, str(e.actor), e.payload) for e in events])
    assert set(story[LANDING]["landed"]) == {"file"}
    assert set(story[LANDING]["left"]) == {"conflict", ".git/config"}


def _cut() -> None:
    raise CutOff
