"""Reading an action file: Markdown with TOML front matter, accepted whole or refused with line and remedy."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import cast

from daemon.core.action import (
    DEFAULT_STEP_SECONDS,
    MAX_APPROVAL_SECONDS,
    MAX_STEP_SECONDS,
    Action,
    ActionApproval,
    ConnectorRequirement,
    Input,
    Preview,
    Step,
)
from daemon.core.documents import normalise_document, split_front_matter
from daemon.core.fields import Fields
from daemon.core.fqn import Fqn
from daemon.core.input_parser import parse_input
from daemon.core.quantities import format_duration, parse_duration
from daemon.core.references import ARGUMENTS, TemplateError
from daemon.core.semver import Version, VersionError
from daemon.core.templates import Template, parse_template
from daemon.core.toml_source import TomlSource
from daemon.core.tools import DEFAULT_APPROVAL_SECONDS

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_STEP_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_OP = re.compile(r"[a-z][a-z0-9_]*")
_OP_INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_CAPABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}")
_RESULT_PATH = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
MAX_NAME_LENGTH = 64
MAX_INPUTS = 64  # a pattern may take tens of milliseconds to compile
MAX_STEPS = 64

_ROOT_KEYS = ("name", "version", "source", "requires", "match", "inputs", "approval", "execute")
_CONNECTOR_KEYS = ("name", "version", "hash", "capabilities")
_INPUT_KEYS = (
    "name",
    "type",
    "required",
    "description",
    "enum",
    "pattern",
    "min_length",
    "max_length",
    "minimum",
    "maximum",
    "default",
)
_STEP_KEYS = ("id", "connector", "op", "timeout", "inputs")
_PREVIEW_KEYS = ("op", "args", "render", "multiline")

_FQN_REMEDY = 'Write the full name, like "github://acme/slack".'
_VERSION_REMEDY = 'Write an exact version, like "1.2.0".'
_OP_REMEDY = 'Write the operation\'s name in lower case, like "post_message".'


def parse_action(text: str, *, file: str) -> Action:
    """Read an action; whatever is wrong with it is a DocumentError."""
    front, body = split_front_matter(normalise_document(text, file), file)
    root = Fields.root(TomlSource.parse(front, file=file, first_line=2), _ROOT_KEYS)
    name = _parse_name(root, file)
    version = root.parsed("version", Version.parse, _VERSION_REMEDY)
    source = root.parsed("source", _check_source, _SOURCE_REMEDY) if "source" in root else None
    requires = _parse_requires(root)
    match = root.table("match", ("intent",))
    inputs = _parse_inputs(root)
    known_inputs = frozenset(given.name for given in inputs)
    steps = _parse_steps(root, frozenset(given.name for given in requires), known_inputs)
    approval = _parse_approval(root, known_inputs)
    description = body.strip()
    if not description:
        raise root.wrong(
            None,
            "The file has no text below the front matter.",
            "Describe there what the action does; it is what the model reads.",
        )
    return Action(
        name=name,
        version=version,
        source=source,
        requires=requires,
        intent=None if match is None else match.optional_text("intent", 'Write intent = "..." or leave it out.'),
        inputs=inputs,
        approval=approval,
        steps=steps,
        description=description,
    )


def _parse_name(root: Fields, file: str) -> str:
    remedy = 'Write lower-case words joined by hyphens, like "ship-update".'
    name = root.text("name", remedy, pattern=_NAME)
    if len(name) > MAX_NAME_LENGTH:
        raise root.wrong("name", f"The name has {len(name)} characters.", f"Use at most {MAX_NAME_LENGTH}.")
    path = PurePath(file)
    if path.suffix == ".md" and path.stem != name:
        raise root.wrong(
            "name",
            f"The name is {name!r}, but the file is called {path.name!r}.",
            f"Call the file {name}.md, or the action {path.stem!r}.",
        )
    return name


_SOURCE_REMEDY = 'Write where the file came from and its version, like "github://acme/actions/ship-update@1.0.0".'


def _check_source(text: str) -> str:
    name, separator, version = text.partition("@")
    if not separator:
        raise VersionError(f"{text[:80]!r} names no version.")
    Fqn.parse(name)
    Version.parse(version)
    return text


def _check_capability(text: str) -> str:
    if not _CAPABILITY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not the name of a capability")
    return text


def _parse_requires(root: Fields) -> tuple[ConnectorRequirement, ...]:
    table = root.table("requires", ("connectors",))
    found = () if table is None else table.tables("connectors", _CONNECTOR_KEYS)
    if not found:
        raise root.wrong(
            None if table is None else "requires",
            "The action requires no connector, so it can do nothing.",
            "Add [[requires.connectors]] with name, version, hash and capabilities.",
        )
    requires: dict[Fqn, ConnectorRequirement] = {}
    for given in found:
        name = given.parsed("name", Fqn.parse, _FQN_REMEDY)
        if name in requires:
            raise given.wrong("name", f"The connector {name} is required twice.", "Keep one of the two.")
        requires[name] = ConnectorRequirement(
            name=name,
            version=given.parsed("version", Version.parse, _VERSION_REMEDY),
            hash=given.text(
                "hash", 'Write "sha256:" and 64 lower-case hex digits, as the install prints it.', pattern=_HASH
            ),
            capabilities=given.parsed_texts(
                "capabilities", _check_capability, 'List what the action uses, like capabilities = ["chat:write"].'
            ),
        )
    return tuple(requires.values())


def _parse_inputs(root: Fields) -> tuple[Input, ...]:
    inputs: dict[str, Input] = {}
    for fields in _at_most(MAX_INPUTS, root, "inputs", _INPUT_KEYS):
        given = parse_input(fields)
        if given.name in inputs:
            raise fields.wrong("name", f"The input {given.name!r} is declared twice.", "Rename or remove one.")
        inputs[given.name] = given
    return tuple(inputs.values())


def _parse_steps(root: Fields, connectors: frozenset[Fqn], inputs: frozenset[str]) -> tuple[Step, ...]:
    steps: dict[str, Step] = {}
    for fields in _at_most(MAX_STEPS, root, "execute", _STEP_KEYS):
        step_id = fields.text("id", 'Name the step, like id = "post".', pattern=_STEP_ID)
        if step_id == ARGUMENTS:
            raise fields.wrong("id", f"No step may be called {ARGUMENTS!r}.", "It stands for the arguments; rename it.")
        if step_id in steps:
            raise fields.wrong("id", f"The step {step_id!r} is there twice.", "Give each step an id of its own.")
        connector = fields.parsed("connector", Fqn.parse, _FQN_REMEDY)
        if connector not in connectors:
            raise fields.wrong(
                "connector",
                f"The step {step_id!r} uses {connector}, which the action does not require.",
                f"Add it under [[requires.connectors]], or use one of {', '.join(sorted(map(str, connectors)))}.",
            )
        steps[step_id] = Step(
            id=step_id,
            connector=connector,
            op=fields.text("op", _OP_REMEDY, pattern=_OP),
            timeout_seconds=_parse_span(fields, "timeout", DEFAULT_STEP_SECONDS, MAX_STEP_SECONDS),
            inputs=_parse_templates(fields, "inputs", inputs, tuple(steps)),
        )
    if not steps:
        raise root.wrong(None, "The action has no steps.", "Add [[execute]] with id, connector, op and inputs.")
    return tuple(steps.values())


def _at_most(most: int, root: Fields, key: str, known: Sequence[str]) -> tuple[Fields, ...]:
    tables = root.tables(key, known)
    if len(tables) > most:
        raise root.wrong_item(key, most, f"is one too many; there may be {most}", "Split the action into smaller ones.")
    return tables


def _parse_approval(root: Fields, inputs: frozenset[str]) -> ActionApproval:
    fields = root.table("approval", ("required", "expires", "preview"))
    if fields is None:
        return ActionApproval()
    preview = fields.table("preview", _PREVIEW_KEYS)
    return ActionApproval(
        required=fields.flag("required", default=False),
        expires_seconds=_parse_span(fields, "expires", DEFAULT_APPROVAL_SECONDS, MAX_APPROVAL_SECONDS),
        preview=None if preview is None else _parse_preview(preview, inputs),
    )


def _parse_preview(fields: Fields, inputs: frozenset[str]) -> Preview:
    remedy = 'Name what to show and where it is in the result, like render = { Subject = "message.subject" }.'
    fields.require("render", remedy)
    render = fields.mapping("render")
    labels = fields.open("render")
    for label in render:
        if not label.strip():
            raise labels.wrong(label, "A label of the preview is empty.", remedy)
        labels.text(label, remedy, pattern=_RESULT_PATH)
    if not render:
        raise fields.wrong("render", "The preview shows nothing.", remedy)
    multiline = () if "multiline" not in fields else fields.texts("multiline", 'Write a list, like ["Body"].')
    for index, label in enumerate(multiline):
        if label not in render:
            raise fields.wrong_item(
                "multiline", index, f"is {label!r}, which `render` does not show", f"Use one of {', '.join(render)}."
            )
    return Preview(
        op=fields.text("op", _OP_REMEDY, pattern=_OP),
        args=_parse_templates(fields, "args", inputs, ()),
        render=cast("Mapping[str, str]", dict(render)),
        multiline=multiline,
    )


def _parse_span(fields: Fields, key: str, default: float, most: float) -> float:
    if key not in fields:
        return default
    remedy = f'Write {key} = "30s"; the most is {format_duration(most)}.'
    seconds = fields.parsed(key, parse_duration, remedy)
    if not 0 < seconds <= most:
        problem = "is zero" if seconds == 0 else f"is longer than {format_duration(most)}"
        raise fields.wrong(key, f"{fields.label(key)} {problem}.", remedy)
    return seconds


def _parse_templates(fields: Fields, key: str, inputs: frozenset[str], steps: tuple[str, ...]) -> dict[str, Template]:
    values = fields.mapping(key)
    table = fields.open(key)
    templates: dict[str, Template] = {}
    for name, value in values.items():
        if not _OP_INPUT.fullmatch(name):
            raise table.wrong(
                name, f"The name {name[:60]!r} is not allowed.", "Use the name of an input of the operation."
            )
        try:
            templates[name] = parse_template(value)
        except TemplateError as error:
            nested = not isinstance(value, str)
            safe = None if nested or error.safe_form is None else f"Write it as a table: {name} = {error.safe_form}"
            raise table.wrong(name, f"{table.label(name)} {error.problem}.", safe or str(error)) from None
        for reference in templates[name].references:
            problem = _check_reference(reference.root, reference.path, inputs, steps)
            if problem is not None:
                raise table.wrong(name, f"{table.label(name)} holds {reference}, {problem[0]}.", problem[1])
    return templates


def _check_reference(
    root: str, path: tuple[str, ...], inputs: frozenset[str], steps: tuple[str, ...]
) -> tuple[str, str] | None:
    if root == ARGUMENTS:
        if path[0] not in inputs:
            known = f"Use one of {', '.join(sorted(inputs))}" if inputs else "Declare it under [[inputs]]"
            return "which is not an input of the action", f"{known}."
        if len(path) > 1:
            return "but an input has no parts", f"Write ${{args.{path[0]}}}."
        return None
    if root not in steps:
        known = f"args or an earlier step ({', '.join(steps)})" if steps else "args; no step has run before this one"
        return "which is not an earlier step", f"Begin the placeholder with {known}."
    return None
