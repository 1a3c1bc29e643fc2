"""Pins: what is there at the first look is taken; what is new or changed later waits for a person (row G4)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.pin_room import GITHUB, PERSON, PinRoom, pin_room, tool

from daemon.core.failures import Failure
from daemon.tools.servers.pins.pin import PinState
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.values import ServerConfig

READY, NEW, CHANGED, GONE = PinState.READY, PinState.NEW, PinState.CHANGED, PinState.GONE


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[PinRoom]:
    async with pin_room(tmp_path) as made:
        yield made


def states(pins: Pins, server: str = "github") -> dict[str, PinState]:
    return {pin.tool: pin.state for pin in pins.pinned(server)}


def waiting(pins: Pins) -> list[str]:
    return [each.digest for each in pins.difference("github") if each.digest is not None]


async def test_the_first_look_takes_what_is_there_and_the_log_says_so(room: PinRoom) -> None:
    assert not room.pins.looked_at("github")
    await room.pins.take(GITHUB, [tool("read"), tool("write")])
    assert states(room.pins) == {"read": READY, "write": READY}
    (event,) = [each for each in await room.events() if each["type"] == "server.tools_pinned"]
    assert event["payload"]["aileron.server.name"] == "github"
    assert [each["tool"] for each in event["payload"]["aileron.server.tools"]] == ["read", "write"]


async def test_a_tool_that_is_new_later_waits_until_a_person_accepted_it(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [])
    await room.pins.take(GITHUB, [tool("late")])
    assert states(room.pins) == {"late": NEW}
    await room.pins.accept("github", waiting(room.pins), PERSON)
    (pin,) = room.pins.pinned("github")
    assert (pin.state, pin.accepted_by) == (READY, "person:owner")


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Does more."},
        {"title": "Another"},
        {"inputSchema": {"type": "object", "properties": {"n": {}}}},
        {"outputSchema": {"type": "object"}},
        {"annotations": {"readOnlyHint": True}},
        {"_meta": {"x": 1}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_any_change_of_a_definition_withholds_the_tool(room: PinRoom, change: dict[str, object]) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    await room.pins.take(GITHUB, [tool("read", **change)])
    assert states(room.pins) == {"read": CHANGED}
    await room.pins.take(GITHUB, [tool("read")])
    assert states(room.pins) == {"read": READY}


async def test_order_and_empty_keys_make_no_difference(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    turned = dict(reversed(tool("read", title=None).items()))
    await room.pins.take(GITHUB, [turned])
    assert states(room.pins) == {"read": READY}
    assert len(await room.events()) == 1


async def test_a_tool_that_went_away_comes_back_as_what_it_was_or_waits(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    await room.pins.take(GITHUB, [])
    assert states(room.pins) == {"read": GONE}
    await room.pins.take(GITHUB, [tool("read", description="Other.")])
    assert states(room.pins) == {"read": CHANGED}


async def test_what_is_accepted_is_what_was_shown_and_not_what_came_after(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    await room.pins.take(GITHUB, [tool("read", description="Shown.")])
    shown = waiting(room.pins)
    await room.pins.take(GITHUB, [tool("read", description="Slipped in.")])
    with pytest.raises(Failure, match="may have changed again"):
        await room.pins.accept("github", shown, PERSON)
    assert states(room.pins) == {"read": CHANGED}


async def test_pins_and_names_outlive_the_daemon(tmp_path: Path) -> None:
    async with pin_room(tmp_path) as room:
        await room.pins.take(GITHUB, [tool("read"), tool("x" * 90)])
        await room.pins.take(GITHUB, [tool("read", description="Other."), tool("x" * 90)])
        names = {pin.tool: room.pins.name_of(pin, "github") for pin in room.pins.pinned("github")}
    async with pin_room(tmp_path) as room:
        assert room.pins.looked_at("github")
        assert states(room.pins) == {"read": CHANGED, "x" * 90: READY}
        assert {pin.tool: room.pins.name_of(pin, "github") for pin in room.pins.pinned("github")} == names


async def test_of_two_tools_with_one_name_the_first_stays_and_the_other_is_said(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read"), tool("read", description="The other.")])
    (pin,) = room.pins.pinned("github")
    assert pin.accepted is not None
    assert pin.accepted.said["description"] == "Does read."
    (left,) = room.pins.left_out("github")
    assert "another tool before it has the same name" in str(left)


async def test_what_is_no_definition_is_left_out_and_said(room: PinRoom) -> None:
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"properties": {"a": deep}}
    wrong = [
        None,
        {"name": ""},
        {"name": "x" * 600, "inputSchema": {}},
        {"name": "no_schema"},
        tool("texts", description=5),
        tool("deep", inputSchema=deep),
        tool("lone", description="\ud800"),
        tool("large", description="x" * 300_000),
        tool("good"),
    ]
    await room.pins.take(GITHUB, wrong)
    assert states(room.pins) == {"good": READY}
    assert len(room.pins.left_out("github")) == 8


async def test_five_thousand_tools_are_taken_and_more_are_said(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool(f"t{number}") for number in range(5001)])
    assert len(room.pins.pinned("github")) == 5000
    assert [each.tool for each in room.pins.left_out("github")] == ["t5000"]


async def test_a_name_is_never_given_to_another_tool(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    await room.pins.forget("github", PERSON)
    assert not room.pins.looked_at("github")
    assert room.pins.called("github__read") is None
    other = ServerConfig(name="other", command=("x",), tool_prefix="github")
    await room.pins.take(other, [tool("read")])
    (pin,) = room.pins.pinned("other")
    name = room.pins.name_of(pin, "github")
    assert name is not None
    assert name != "github__read"
    await room.pins.take(GITHUB, [tool("read")])
    found = room.pins.called("github__read")
    assert found is not None
    assert found.server == "github"


async def test_another_prefix_gives_other_names_and_the_first_ones_stay_reserved(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    short = ServerConfig(name="github", command=("github-mcp",), tool_prefix="gh")
    await room.pins.name_tools(short)
    (pin,) = room.pins.pinned("github")
    assert room.pins.name_of(pin, "gh") == "gh__read"
    assert room.pins.name_of(pin, "github") == "github__read"


async def test_a_tool_whose_name_in_records_another_one_has_had_is_left_out(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("odd\nname")])
    (pin,) = room.pins.pinned("github")
    await room.pins.take(GITHUB, [tool(pin.record.partition("/")[2])])
    assert states(room.pins) == {"odd\nname": GONE}
    assert len(room.pins.left_out("github")) == 1


async def test_the_difference_shows_what_cannot_be_seen_and_cannot_be_written_by_the_server(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    hostile = "Reads.\u202e\u200b\x1b[2J\ninputSchema:\n+  | forged"
    await room.pins.take(GITHUB, [tool("read", description=hostile), tool("extra")])
    extra, read = room.pins.difference("github")
    assert (extra.state, read.state) == (NEW, CHANGED)
    assert "\\u{202e}\\u{200b}\\u{1b}[2J" in read.difference
    lines = read.difference.splitlines()
    assert "-  | Does read." in lines
    assert "+  | inputSchema:" in lines
    assert "+  | +  | forged" in lines
    assert "+  | Does extra." in extra.difference.splitlines()
    assert read.difference.isascii()


async def test_a_flood_of_changes_writes_nothing_when_nothing_changed(room: PinRoom) -> None:
    await room.pins.take(GITHUB, [tool("read")])
    version = room.pins.version
    for _ in range(20):
        await room.pins.take(GITHUB, [tool("read")])
    assert room.pins.version == version
    assert len(await room.events()) == 1


async def test_whoever_listens_hears_of_a_change(room: PinRoom) -> None:
    changes = room.pins.changes()
    heard = anext(changes)
    import asyncio

    waiting_for = asyncio.ensure_future(heard)
    await asyncio.sleep(0)
    await room.pins.take(GITHUB, [tool("read")])
    await asyncio.wait_for(waiting_for, 10)
    await changes.aclose()
