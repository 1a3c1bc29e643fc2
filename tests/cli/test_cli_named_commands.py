"""Every command that a message tells a person to run is one that there is."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import daemon

NAMED = re.compile(r"(?:`|: |')aileron ([a-z]+)(?: ([a-z]+))?")


def named_commands() -> set[tuple[str, str]]:
    """Return what messages and pages name."""
    found: set[tuple[str, str]] = set()
    for path in Path(daemon.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update((match[1], match[2] or "") for match in NAMED.finditer(node.value))
    return found


@cache
def help_of(*words: str) -> str:
    """Return the names in the help of a group."""
    program = Path(sys.executable).with_name("aileron")
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_command_named_in_a_message_exists() -> None:
    named = named_commands()
    assert len(named) > 20
    for group, command in sorted(named):
        assert re.search(rf"^\s+{group}\b", help_of(), re.MULTILINE), f"aileron {group}"
        if command and "COMMAND" in help_of(group):
            assert re.search(rf"^\s+{command}\b", help_of(group), re.MULTILINE), f"aileron {group} {command}"
