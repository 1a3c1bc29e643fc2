"""Writes the text of a new action file, filled in from a connector's manifest where one was chosen."""

import re
from collections.abc import Mapping
from typing import Any

from daemon.cli.rendering import one_line
from daemon.core.toml_writer import toml_key, toml_string, toml_value

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_INPUT_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TYPES = frozenset({"string", "integer", "number", "boolean"})
_NO_HASH = "sha256:" + "0" * 64


def starter(name: str, *, connector: Mapping[str, Any] | None = None, op: Mapping[str, Any] | None = None) -> str:
    """Return an action file that parses, with the comments that a first reader needs."""
    chosen = connector is not None and op is not None
    inputs = _inputs(op) if op is not None else [_EXAMPLE_INPUT]
    fqn = str(connector["name"]) if connector is not None else "github://owner/connector"
    lines = [
        "+++",
        f"name = {toml_string(name)}".ljust(44) + "# the same as the file's name",
        'version = "0.1.0"'.ljust(44) + "# raise it when the action changes what it does",
        "",
        "# The connectors this action uses: exactly this version, exactly these bytes (`aileron connector show`).",
        "# Name only the capabilities that the steps below need; a step cannot use any other.",
        *(
            []
            if chosen
            else ["# This one is a placeholder: the action cannot run until you put a real connector here."]
        ),
        "[[requires.connectors]]",
        f"name = {toml_string(fqn)}",
        f"version = {toml_string(str(connector['version']) if connector is not None else '0.0.0')}",
        f"hash = {toml_string(str(connector['hash']) if connector is not None else _NO_HASH)}",
        f"capabilities = {toml_value([str(op['capability']) if op is not None else 'example:write'])}",
        "",
        "# What the agent passes in. Types: string, integer, number, boolean. To narrow one further, add",
        "# enum, pattern, min_length, max_length, minimum, maximum or default.",
    ]
    for item in inputs:
        lines += _input_block(item)
    lines += [
        "[approval]",
        "required = true".ljust(44) + "# a person must approve each call",
        'expires = "24h"'.ljust(44) + "# how long the question stands",
        "",
        "# The steps run in this order, and the first failure ends the action. A value that is one placeholder",
        "# keeps its type; ${step_id.path} takes a value from the result of an earlier step; $${ writes a plain ${.",
        "[[execute]]",
        f"id = {toml_string(_step_id(op))}",
        f"connector = {toml_string(fqn)}",
        f"op = {toml_string(str(op['name']) if op is not None else 'example_op')}",
        'timeout = "30s"'.ljust(44) + "# at most 5m",
        "[execute.inputs]",
        *(line for item in inputs for line in _given(item)),
        "+++",
        f"# {name.replace('-', ' ').capitalize()}",
        "",
        "Say here, for the model that reads this, what the action does, when to use it and when not to.",
    ]
    description = _comment(op.get("description")) if op is not None else ""
    if description:
        lines += ["", description]
    return "\n".join(lines) + "\n"


_EXAMPLE_INPUT: dict[str, Any] = {
    "name": "text",
    "target": "text",
    "type": "string",
    "required": True,
    "description": "What to say, in one sentence.",
}


def _inputs(op: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    taken: set[str] = set()
    for declared in op.get("inputs") or []:
        target = str(declared["name"])
        name = _input_name(target, taken)
        taken.add(name)
        kind = declared.get("type")
        is_json = declared.get("format") == "json"
        said = f"What goes into {target}." if is_json else _comment(declared.get("description"))
        found.append(
            {
                "name": name,
                "target": target,
                "type": kind if kind in _TYPES else "string",
                "format": declared.get("format"),
                # An argument inside a table must be there: a table has fixed members.
                "required": is_json or bool(declared.get("required", True)),
                "description": said or f"The {name.replace('_', ' ')}.",
            }
        )
    return found


def _input_name(target: str, taken: set[str]) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", target.lower()).strip("_")
    if not _INPUT_NAME.fullmatch(name):
        name = f"input_{name}".rstrip("_")
    while name in taken:
        name += "_2"
    return name


def _given(item: Mapping[str, Any]) -> list[str]:
    value = toml_string("${args." + item["name"] + "}")
    if item.get("format") != "json":
        return [f"{toml_key(item['target'])} = {value}"]
    return [
        "# A table is sent as JSON. Put the members here that the service expects; what stands in a table is encoded,",
        "# so that no argument can change what stands beside it.",
        f"{toml_key(item['target'])} = {{ text = {value} }}",
    ]


def _input_block(item: Mapping[str, Any]) -> list[str]:
    return [
        "[[inputs]]",
        f"name = {toml_string(item['name'])}",
        f"type = {toml_string(item['type'])}",
        *([] if item["required"] else ["required = false"]),
        f"description = {toml_string(item['description'])}",
        "",
    ]


def _step_id(op: Mapping[str, Any] | None) -> str:
    name = str(op["name"]).lower() if op is not None else "first"
    return name if _INPUT_NAME.fullmatch(name) and name != "args" else "first"


def _comment(text: Any) -> str:
    return one_line(" ".join(text.split()), limit=300) if isinstance(text, str) and text.strip() else ""
