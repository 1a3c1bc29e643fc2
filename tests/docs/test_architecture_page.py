"""docs/architecture.md names every room on the floor where the contract has it, and no file that is not there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = re.findall(r"^\| (\d+|beside) \| `daemon/(\w+)/` \|", PAGE, re.MULTILINE)


def layers() -> list[list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (whole,) = [
        contract for contract in contracts if contract["type"] == "layers" and "daemon" in contract["containers"]
    ]
    return [[room.strip() for room in layer.split("|")] for layer in whole["layers"]]


def test_every_room_is_in_the_table_once() -> None:
    rooms = {path.parent.name for path in (ROOT / "daemon").glob("*/__init__.py")}
    assert sorted(room for _, room in ROWS) == sorted(rooms)


def test_the_floors_are_those_of_the_contract() -> None:
    place = {room: number for number, layer in enumerate(reversed(layers())) for room in layer}
    floors = [(int(floor), place[room]) for floor, room in ROWS if floor != "beside"]
    for floor, where in floors:
        for other, elsewhere in floors:
            assert not (floor > other and where <= elsewhere), "a room of a higher floor lies lower in the contract"


def test_no_file_is_named_that_is_not_there() -> None:
    named = set(
        re.findall(r"`((?:daemon|aileron_mcp|aileron_testing|launchers|sandbox_image|migrations|tests)/[\w./]*)`", PAGE)
    )
    assert len(named) > 50
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
