"""docs/cli.md says what the program says. Run with AILERON_UPDATE_DOCS=1 to write the help texts anew."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from daemon.cli.failure import ExitCode
from daemon.cli.main import _Root

DOC = Path(__file__).parents[2] / "docs" / "cli.md"
_WRITE_ANEW = os.environ.get("AILERON_UPDATE_DOCS") == "1"  # read here: in a test, variables of ours are gone
_BLOCK = re.compile(r"```console\n\$ aileron (?P<command>[^\n]*--help)\n(?P<text>.*?)```", re.DOTALL)


def test_the_help_in_the_docs_is_the_help_of_the_program(cli: Any) -> None:
    def block(command: str) -> str:
        ended = cli(*command.split())
        assert ended.code == 0
        return f"```console\n$ aileron {command}\n{ended.out}```"

    written = DOC.read_text()
    real = _BLOCK.sub(lambda match: block(match["command"]), written)
    if _WRITE_ANEW:
        DOC.write_text(real)
        written = real
    assert written == real


def test_every_group_has_its_help_in_the_docs() -> None:
    documented = {match["command"].removesuffix(" --help") for match in _BLOCK.finditer(DOC.read_text())}
    assert set(_Root.table) - {"open"} <= documented


def test_every_exit_code_is_in_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \|", DOC.read_text(), re.MULTILINE)
    assert [int(row) for row in rows] == [code.value for code in ExitCode]


def test_everything_that_lists_or_shows_has_json() -> None:
    without = set()
    for name, entry in _Root.table.items():
        command = get_command(importlib.import_module(entry.module).app)
        for inner_name, inner in getattr(command, "commands", {"": command}).items():
            if inner_name in ("list", "show", "status", "inspect", "get", "verify", "check") or name in (
                "status",
                "doctor",
            ):
                options = {option for parameter in inner.params for option in parameter.opts}
                if "--json" not in options:
                    without.add(f"{name} {inner_name}")
    assert without == set()
