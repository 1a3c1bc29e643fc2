"""An option of a launch is spelled where it is offered and where it is obeyed; what lies between carries one value.

A new option is a field of `LaunchRequest`, one place of the command line, and one place of the sandbox.
"""

import ast
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

from daemon.core.launch_request import LaunchRequest

ROOT = Path(__file__).parents[2]
FIELDS = frozenset(each.name for each in fields(LaunchRequest))
OFFERED = {"daemon/cli/launch/command.py", "daemon/cli/launch/in_sandbox.py", "daemon/cli/launch/own_container.py"}
"""What was typed; what the terminal and git say; what the folder's own devcontainer.json says."""
OBEYED = {"daemon/sandbox/service.py", "daemon/sandbox/starting.py", "daemon/sandbox/surveying.py"}
ROOMS = ("daemon/cli", "daemon/sandbox")
DOOR = "daemon/api/control/sandboxes.py"
LOOKED_UP_AT_THE_DOOR = {"agent", "owner_pid"}
"""Whether there is such an agent and such a process; the second is then handed on as a process that is known."""


def spelled() -> dict[str, set[str]]:
    """Return which fields each module reads from a request, or gives to one."""
    found: dict[str, set[str]] = defaultdict(set)
    modules = [*(path for room in ROOMS for path in (ROOT / room).rglob("*.py")), ROOT / DOOR]
    for path in sorted(modules):
        place = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in FIELDS and _is_request(node.value):
                found[place].add(node.attr)
            if isinstance(node, ast.Call) and _makes_a_request(node):
                found[place] |= {word.arg for word in node.keywords if word.arg is not None}
    return found


def _is_request(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "request") or (
        isinstance(node, ast.Attribute) and node.attr == "request"
    )


def _makes_a_request(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Name):
        return False
    replaces = node.func.id == "replace" and bool(node.args) and _is_request(node.args[0])
    return node.func.id == "LaunchRequest" or replaces


def test_nothing_between_the_command_line_and_the_sandbox_spells_an_option() -> None:
    assert set(spelled()) == OFFERED | OBEYED | {DOOR}
    assert spelled()[DOOR] == LOOKED_UP_AT_THE_DOOR


def test_every_option_is_offered_and_obeyed() -> None:
    found = spelled()
    assert set().union(*(found[place] for place in OFFERED)) == FIELDS
    assert set().union(*(found[place] for place in OBEYED)) | {"owner_pid"} == FIELDS


def test_the_command_line_sends_the_value_as_it_is() -> None:
    sending = (ROOT / "daemon/cli/launch/in_sandbox.py").read_text(encoding="utf-8")
    assert 'client.post("/v1/sandboxes", body=request.as_json(), patient=True)' in sending
