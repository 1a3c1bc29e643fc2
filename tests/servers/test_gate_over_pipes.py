"""The one path over real servers that misbehave: what ran is known, is never run twice, and holds nobody up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from servers.gate_room import GateRoom, gate_room
from servers.piped_servers import PipedServers
from servers.started import hostile, ran

from daemon.core.failures import Failure, FailureClass
from daemon.execution.requests import Finished


@asynccontextmanager
async def served(
    folder: Path, *behaviours: str, settings: str = "", call_seconds: float = 30
) -> AsyncIterator[GateRoom]:
    """Offer the rooms over one hostile server, whose tools were looked at."""
    servers = PipedServers(call_seconds=call_seconds, h=hostile(*behaviours, ledger=folder / "ledger"))
    async with gate_room(folder / "home", servers, settings=settings) as room:
        try:
            await room.looked()
            yield room
        finally:
            await servers.close()


async def refused(room: GateRoom, name: str, arguments: dict[str, Any] | None = None) -> Failure:
    with pytest.raises(Failure) as ended:
        await room.call(name, arguments)
    return ended.value


async def test_calls_and_every_kind_of_content_pass(tmp_path: Path) -> None:
    async with served(tmp_path) as room:
        done = await room.call("h__everything")
        assert isinstance(done, Finished)
        assert [block["type"] for block in done.content or ()] == [
            "text",
            "image",
            "audio",
            "resource_link",
            "resource",
        ]
        assert (done.result, done.meta, done.failed_by_tool) == ({"a": [1, None]}, {"x/y": "z"}, True)
        echoed = await asyncio.gather(*(room.call("h__echo", {"text": f"{number}"}) for number in range(50)))
        assert [each.content[0]["text"] for each in echoed] == [f"{number}" for number in range(50)]  # type: ignore[index, union-attr]
    assert len(ran(tmp_path / "ledger")) == 51


@pytest.mark.parametrize("behaviour", ["dies_in_call", "never"])
async def test_a_call_that_a_server_does_not_answer_ran_once_and_is_of_unknown_outcome(
    tmp_path: Path, behaviour: str
) -> None:
    async with served(tmp_path, behaviour, call_seconds=2) as room:
        failure = await refused(room, "h__count", {"text": "once"})
        assert failure.failure_class is FailureClass.OUTCOME_UNKNOWN
        assert len(await room.events("execution.unknown")) == 1
    assert [each["name"] for each in ran(tmp_path / "ledger") if "name" in each] == ["count"]


async def test_a_server_that_dies_on_every_second_call_runs_none_twice(tmp_path: Path) -> None:
    async with served(tmp_path, "dies_every_second_call") as room:
        outcomes = []
        for number in range(6):
            try:
                await room.call("h__count", {"text": f"{number}"})
                outcomes.append("done")
            except Failure as failure:
                outcomes.append(failure.failure_class.value)
    assert set(outcomes) == {"done", "outcome_unknown"}
    texts = [each["arguments"]["text"] for each in ran(tmp_path / "ledger")]
    assert texts == [f"{number}" for number in range(6)]


async def test_a_tool_that_changes_with_each_list_is_withheld_from_the_second_on(tmp_path: Path) -> None:
    async with served(tmp_path, "changes_tool") as room:
        assert isinstance(await room.call("h__echo", {"text": "x"}), Finished)
        room.rooms.servers.looks.list_changed(room.servers.all()["h"], "")
        failure = await refused(room, "h__echo", {"text": "y"})
        assert failure.failure_class is FailureClass.HASH_MISMATCH
        assert isinstance(await room.call("h__count", {"text": "z"}), Finished)
        (review,) = room.rooms.servers.pins.difference("h")
        assert "+  | Says it again, for the 2. time." in review.difference
    assert [each["name"] for each in ran(tmp_path / "ledger")] == ["echo", "count"]


async def test_names_with_every_kind_of_character_are_called_as_the_server_calls_them(tmp_path: Path) -> None:
    async with served(tmp_path, "odd_names", settings="[servers]\nlisted_tools = 500\n") as room:
        listed = await room.offered()
        pins = {pin.tool: pin for pin in room.rooms.servers.pins.pinned("h")}
        assert len(listed) == len(pins) + 1  # read_result is there, too
        for pin in pins.values():
            name = room.rooms.servers.pins.name_of(pin, "h")
            assert name is not None
            await room.call(name, {"text": ""})
        assert [each["name"] for each in ran(tmp_path / "ledger")] == list(pins)
        left = [each.tool for each in room.rooms.servers.pins.left_out("h")]
        assert left == ["", "same"]


async def test_five_thousand_tools_are_found_and_called_without_being_listed(tmp_path: Path) -> None:
    async with served(tmp_path, "tools=5000") as room:
        assert set(await room.offered()) == {"search_tools", "describe_tool", "call_tool", "read_result"}
        found = await room.call("search_tools", {"query": "tool_4321", "limit": 1})
        assert isinstance(found, Finished)
        (tool,) = found.result["tools"]
        assert isinstance(await room.call("call_tool", {"name": tool["name"], "arguments": {"text": "x"}}), Finished)
    assert ran(tmp_path / "ledger") == [{"name": "tool_4321", "arguments": {"text": "x"}}]


async def test_a_server_that_floods_with_changed_lists_does_not_hold_up_its_calls(tmp_path: Path) -> None:
    async with served(tmp_path, "floods") as room:
        done = await room.call("h__echo", {"text": "through"})
        assert isinstance(done, Finished)


async def test_an_answer_that_is_too_large_is_cut_and_read_to_its_end(tmp_path: Path) -> None:
    async with served(tmp_path, "long=3000000") as room:
        done = await room.call("h__echo", {"text": "x"})
        assert isinstance(done, Finished)
        shown, note = (str(block["text"]) for block in done.content or ())
        handle = note.partition('"handle": "')[2].partition('"')[0]
        length, offset = len(shown), 0
        while offset is not None:
            more = await room.call("read_result", {"handle": handle, "offset": offset})
            assert isinstance(more, Finished)
            length, offset = length + len(str((more.content or ())[0]["text"])), more.result["next_offset"]
        assert length == 3_000_000
