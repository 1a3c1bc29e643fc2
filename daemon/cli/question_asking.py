"""Takes the values of a form: from the terminal field by field, from options, or from a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.prompts import Prompts
from daemon.cli.question_shown import takes
from daemon.cli.rendering import one_line
from daemon.core.forms.fields import Field, FieldKind

Typed = dict[str, list[str]]


def from_options(values: Sequence[str]) -> Typed:
    """Return the values of `--set NAME=VALUE`; a name that comes several times has a list."""
    typed: Typed = {}
    for each in values:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise CliFailure.usage(f"{each!r} is not NAME=VALUE", remedy="Write it like --set colour=blue")
        typed.setdefault(name, []).append(value)
    return typed


def from_file(prompts: Prompts, file: Path) -> Mapping[str, Any]:
    """Return the values of a JSON object in a file."""
    try:
        content = json.loads(prompts.secret_file(file, option="--values-file"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CliFailure.usage(
            "the file that --values-file names holds no JSON object", remedy='Write it like {"colour": "blue"}'
        )
    return content


def ask_fields(invocation: Invocation, fields: Sequence[Mapping[str, Any]]) -> Typed:
    """Ask for each field until what is typed fits; Enter alone takes the suggestion, or leaves the field out."""
    typed: Typed = {}
    for each in fields:
        field = Field.from_json(each)
        texts = _ask(invocation, field, one_line(each["title"] or each["name"]), takes(each))
        if texts:
            typed[field.name] = texts
    return typed


def _ask(invocation: Invocation, field: Field, label: str, what: str) -> list[str]:
    suggested = _suggested(field)
    shown = f" [{one_line(', '.join(suggested))}]" if suggested else ""
    several = "; several with commas" if field.kind is FieldKind.SOME_OF else ""
    while True:
        line = invocation.prompts.line(f"{label} ({what}{several}){shown}: ")
        texts = suggested if line == "" else _meant(field, line)
        problem = _problem(field, texts)
        if problem is None:
            return texts
        invocation.output.note(f"That does not fit: {problem}.", style="red")


def _meant(field: Field, line: str) -> list[str]:
    """Return the values that a line means; choices are also known by their numbers, unless one is called like that."""
    if not field.choices:
        return [line]
    parts = [part.strip() for part in line.split(",")] if field.kind is FieldKind.SOME_OF else [line.strip()]
    values = [choice.value for choice in field.choices]
    return [_chosen(values, part) for part in parts if part]


def _chosen(values: Sequence[str], part: str) -> str:
    if part not in values and part.isascii() and part.isdigit() and 0 < int(part[:6]) <= len(values):
        return values[int(part) - 1]
    return part


def _problem(field: Field, texts: Sequence[str]) -> str | None:
    try:
        value = field.typed(texts)
    except ValueError as wrong:
        return str(wrong)
    if value is None:
        return "it is required" if field.required else None
    return field.problem_with(value)


def _suggested(field: Field) -> list[str]:
    default = field.default
    if default is None:
        return []
    if isinstance(default, bool):
        return ["yes" if default else "no"]
    return list(default) if isinstance(default, list) else [str(default)]
