"""Reading the steps and the approval of an action file: what is called, with which values, and what is shown before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from daemon.core.action import (
    DEFAULT_STEP_SECONDS,
    MAX_APPROVAL_SECONDS,
    MAX_STEP_SECONDS,
    ActionApproval,
    Preview,
    Step,
)
from daemon.core.fields import Fields
from daemon.core.fqn import Fqn
from daemon.core.problems import Problems
from daemon.core.quantities import format_duration, parse_duration
from daemon.core.references import ARGUMENTS, TemplateError
from daemon.core.templates import Template, parse_template
from daemon.core.tools import DEFAULT_APPROVAL_SECONDS

_STEP_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_OP = re.compile(r"[a-z][a-z0-9_]*")
_OP_INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_RESULT_PATH = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
MAX_STEPS = 64

_STEP_KEYS = ("id", "connector", "op", "timeout", "inputs")
_PREVIEW_KEYS = ("op", "args", "render", "multiline")

FQN_REMEDY = 'Write the full name, like "github://acme/slack".'
_OP_REMEDY = 'Write the operation\'s name in lower case, like "post_message".'


@dataclass(frozen=True, slots=True)
class Declared:
    """What steps may name. None where a declaration could not be read: then nothing is said about what names it."""

    connectors: frozenset[Fqn] | None
    inputs: frozenset[str] | None


def parse_steps(root: Fields, declared: Declared, problems: Problems) -> tuple[Step, ...]:
    """Read every step; what is wrong with one does not keep the next from being read."""
    steps: dict[str, Step] = {}
    ids: list[str] | None = None if root.is_misspelt("execute") else []
    tables = at_most(MAX_STEPS, root, "execute", _STEP_KEYS)
    if not tables:
        raise root.absent("execute", "The action has no steps.", "Add [[execute]] with id, connector, op and inputs.")
    for fields in tables:
        step_id = problems.keep(_parse_id, fields, steps)
        connector = problems.keep(_parse_connector, fields, declared.connectors)
        op = problems.keep(fields.text, "op", _OP_REMEDY, pattern=_OP)
        timeout = problems.keep(_parse_span, fields, "timeout", DEFAULT_STEP_SECONDS, MAX_STEP_SECONDS)
        earlier = None if ids is None else tuple(ids)
        inputs = problems.keep(_parse_templates, fields, "inputs", declared.inputs, earlier, problems)
        ids = None if ids is None or step_id is None else [*ids, step_id]
        if step_id is None or connector is None or op is None or timeout is None or inputs is None:
            continue
        steps[step_id] = Step(id=step_id, connector=connector, op=op, timeout_seconds=timeout, inputs=inputs)
    return tuple(steps.values())


def at_most(most: int, root: Fields, key: str, known: Sequence[str]) -> tuple[Fields, ...]:
    """Open a list of tables that is not too long."""
    tables = root.tables(key, known)
    if len(tables) > most:
        raise root.wrong_item(key, most, f"is one too many; there may be {most}", "Split the action into smaller ones.")
    return tables


def _parse_id(fields: Fields, steps: Mapping[str, Step]) -> str:
    step_id = fields.text("id", 'Name the step, like id = "post".', pattern=_STEP_ID)
    if step_id == ARGUMENTS:
        raise fields.wrong("id", f"No step may be called {ARGUMENTS!r}.", "It stands for the arguments; rename it.")
    if step_id in steps:
        raise fields.wrong("id", f"The step {step_id!r} is there twice.", "Give each step an id of its own.")
    return step_id


def _parse_connector(fields: Fields, connectors: frozenset[Fqn] | None) -> Fqn:
    connector = fields.parsed("connector", Fqn.parse, FQN_REMEDY)
    if connectors is not None and connector not in connectors:
        raise fields.wrong(
            "connector",
            f"The step uses {connector}, which the action does not require.",
            f"Add it under [[requires.connectors]], or use one of {', '.join(sorted(map(str, connectors)))}.",
        )
    return connector


def parse_approval(root: Fields, inputs: frozenset[str] | None, problems: Problems) -> ActionApproval:
    """Read what the file asks for before a call runs."""
    fields = root.table("approval", ("required", "expires", "preview"))
    if fields is None:
        return ActionApproval()
    required = problems.keep(fields.flag, "required", default=False)
    expires = problems.keep(_parse_span, fields, "expires", DEFAULT_APPROVAL_SECONDS, MAX_APPROVAL_SECONDS)
    preview = problems.keep(fields.table, "preview", _PREVIEW_KEYS)
    return ActionApproval(
        required=bool(required),
        expires_seconds=expires or DEFAULT_APPROVAL_SECONDS,
        preview=None if preview is None else _parse_preview(preview, inputs, problems),
    )


def _parse_preview(fields: Fields, inputs: frozenset[str] | None, problems: Problems) -> Preview | None:
    render = problems.keep(_parse_render, fields, problems)
    multiline = () if render is None else problems.keep(_parse_multiline, fields, render)
    op = problems.keep(fields.text, "op", _OP_REMEDY, pattern=_OP)
    args = problems.keep(_parse_templates, fields, "args", inputs, (), problems)
    if render is None or multiline is None or op is None or args is None:
        return None
    return Preview(op=op, args=args, render=render, multiline=multiline)


def _parse_render(fields: Fields, problems: Problems) -> Mapping[str, str]:
    remedy = 'Name what to show and where it is in the result, like render = { Subject = "message.subject" }.'
    fields.require("render", remedy)
    render = fields.mapping("render")
    labels = fields.open("render")
    for label in render:
        if not label.strip():
            problems.found.append(labels.wrong(label, "A label of the preview is empty.", remedy))
        problems.keep(labels.text, label, remedy, pattern=_RESULT_PATH)
    if not render:
        raise fields.wrong("render", "The preview shows nothing.", remedy)
    return cast("Mapping[str, str]", dict(render))


def _parse_multiline(fields: Fields, render: Mapping[str, str]) -> tuple[str, ...]:
    multiline = () if "multiline" not in fields else fields.texts("multiline", 'Write a list, like ["Body"].')
    for index, label in enumerate(multiline):
        if label not in render:
            raise fields.wrong_item(
                "multiline", index, f"is {label!r}, which `render` does not show", f"Use one of {', '.join(render)}."
            )
    return multiline


def _parse_span(fields: Fields, key: str, default: float, most: float) -> float:
    if key not in fields:
        return default
    remedy = f'Write {key} = "30s"; the most is {format_duration(most)}.'
    seconds = fields.parsed(key, parse_duration, remedy)
    if not 0 < seconds <= most:
        problem = "is zero" if seconds == 0 else f"is longer than {format_duration(most)}"
        raise fields.wrong(key, f"{fields.label(key)} {problem}.", remedy)
    return seconds


def _parse_templates(
    fields: Fields, key: str, inputs: frozenset[str] | None, steps: tuple[str, ...] | None, problems: Problems
) -> dict[str, Template]:
    table = fields.open(key)
    templates: dict[str, Template] = {}
    for name, value in fields.mapping(key).items():
        template = problems.keep(_parse_value, table, name, value, inputs, steps)
        if template is not None:
            templates[name] = template
    return templates


def _parse_value(
    table: Fields, name: str, value: object, inputs: frozenset[str] | None, steps: tuple[str, ...] | None
) -> Template:
    if not _OP_INPUT.fullmatch(name):
        raise table.wrong(name, f"The name {name[:60]!r} is not allowed.", "Use the name of an input of the operation.")
    try:
        template = parse_template(value)
    except TemplateError as error:
        nested = not isinstance(value, str)
        safe = None if nested or error.safe_form is None else f"Write it as a table: {name} = {error.safe_form}"
        raise table.wrong(name, f"{table.label(name)} {error.problem}.", safe or str(error)) from None
    for reference in template.references:
        problem = _check_reference(reference.root, reference.path, inputs, steps)
        if problem is not None:
            raise table.wrong(name, f"{table.label(name)} holds {reference}, {problem[0]}.", problem[1])
    return template


def _check_reference(
    root: str, path: tuple[str, ...], inputs: frozenset[str] | None, steps: tuple[str, ...] | None
) -> tuple[str, str] | None:
    if root == ARGUMENTS:
        if inputs is not None and path[0] not in inputs:
            known = f"Use one of {', '.join(sorted(inputs))}" if inputs else "Declare it under [[inputs]]"
            return "which is not an input of the action", f"{known}."
        if len(path) > 1:
            return "but an input has no parts", f"Write ${{args.{path[0]}}}."
        return None
    if steps is not None and root not in steps:
        known = f"args or an earlier step ({', '.join(steps)})" if steps else "args; no step has run before this one"
        return "which is not an earlier step", f"Begin the placeholder with {known}."
    return None
