"""Reading an action file: Markdown with TOML front matter, accepted whole or refused with line and remedy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from daemon.core.action import Action, ConnectorRequirement, Input
from daemon.core.documents import normalise_document, split_front_matter
from daemon.core.failures import DocumentError
from daemon.core.fields import Fields
from daemon.core.fqn import Fqn
from daemon.core.input_parser import parse_input
from daemon.core.problems import Problems
from daemon.core.semver import Version, VersionError
from daemon.core.step_parser import FQN_REMEDY, Declared, at_most, parse_approval, parse_steps
from daemon.core.toml_source import TomlSource

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_INPUT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_CAPABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}")
MAX_NAME_LENGTH = 64
MAX_INPUTS = 64  # a pattern may take tens of milliseconds to compile

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

_VERSION_REMEDY = 'Write an exact version, like "1.2.0".'
_HASH_REMEDY = 'Write "sha256:" and 64 lower-case hex digits, as the install prints it.'
_CAPABILITIES_REMEDY = 'List what the action uses, like capabilities = ["chat:write"].'


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading of an action file gave: the action if nothing is wrong, and everything that is wrong if not."""

    action: Action | None
    requires: tuple[ConnectorRequirement, ...]
    """The requirements that could be read, also when something else is wrong."""
    problems: tuple[DocumentError, ...]


def parse_action(text: str, *, file: str) -> Action:
    """Read an action; whatever is wrong with it is a DocumentError."""
    problems = Problems()
    action, _ = _parse(text, file, problems)
    if action is None or problems.found:
        raise problems.found[0]
    return action


def read_action(text: str, *, file: str) -> Reading:
    """Read an action to its end, whatever is wrong with it.

    A text that is no TOML can be read only as far as the first mistake in it.
    """
    problems = Problems()
    read = problems.keep(_parse, text, file, problems)
    action, requires = (None, ()) if read is None else read
    return Reading(None if problems.found else action, requires, tuple(problems.in_order_of_lines()))


def _parse(text: str, file: str, problems: Problems) -> tuple[Action | None, tuple[ConnectorRequirement, ...]]:
    keep = problems.keep
    front, body = split_front_matter(normalise_document(text, file), file)
    root = Fields.root(TomlSource.parse(front, file=file, first_line=2), _ROOT_KEYS, problems)
    name = keep(_parse_name, root, file)
    version = keep(root.parsed, "version", Version.parse, _VERSION_REMEDY)
    source = keep(root.parsed, "source", _check_source, _SOURCE_REMEDY) if "source" in root else None
    requires, connectors = keep(_parse_requires, root, problems) or ((), None)
    intent = keep(_parse_intent, root)
    inputs, input_names = keep(_parse_inputs, root, problems) or ((), None)
    if root.is_misspelt("inputs"):
        input_names = None
    steps = keep(parse_steps, root, Declared(connectors, input_names), problems)
    approval = keep(parse_approval, root, input_names, problems)
    description = body.strip()
    if not description:
        problems.found.append(
            root.wrong(
                None,
                "The file has no text below the front matter.",
                "Describe there what the action does; it is what the model reads.",
            )
        )
    if name is None or version is None or steps is None or approval is None:
        return None, requires
    return Action(
        name=name,
        version=version,
        source=source,
        requires=requires,
        intent=intent,
        inputs=inputs,
        approval=approval,
        steps=steps,
        description=description,
    ), requires


def _parse_intent(root: Fields) -> str | None:
    match = root.table("match", ("intent",))
    return None if match is None else match.optional_text("intent", 'Write intent = "..." or leave it out.')


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


def _parse_requires(root: Fields, problems: Problems) -> tuple[tuple[ConnectorRequirement, ...], frozenset[Fqn] | None]:
    """Return the requirements, and the names of all of them; None for the names if one could not be read."""
    table = root.table("requires", ("connectors",))
    found = () if table is None else table.tables("connectors", _CONNECTOR_KEYS)
    if not found:
        raise (table or root).absent(
            "requires" if table is None else "connectors",
            "The action requires no connector, so it can do nothing.",
            "Add [[requires.connectors]] with name, version, hash and capabilities.",
        )
    requires: list[ConnectorRequirement] = []
    names: dict[Fqn | None, None] = {}
    for given in found:
        name = problems.keep(_parse_required_name, given, names)
        names[name] = None
        version = problems.keep(given.parsed, "version", Version.parse, _VERSION_REMEDY)
        digest = problems.keep(given.text, "hash", _HASH_REMEDY, pattern=_HASH)
        capabilities = problems.keep(given.parsed_texts, "capabilities", _check_capability, _CAPABILITIES_REMEDY)
        if name is None or version is None or digest is None or capabilities is None:
            continue
        requires.append(ConnectorRequirement(name=name, version=version, hash=digest, capabilities=capabilities))
    unknown = None in names or (table is not None and table.is_misspelt("connectors"))
    return tuple(requires), None if unknown else frozenset(name for name in names if name is not None)


def _parse_required_name(given: Fields, names: Mapping[Fqn | None, None]) -> Fqn:
    name = given.parsed("name", Fqn.parse, FQN_REMEDY)
    if name in names:
        raise given.wrong("name", f"The connector {name} is required twice.", "Keep one of the two.")
    return name


def _parse_inputs(root: Fields, problems: Problems) -> tuple[tuple[Input, ...], frozenset[str] | None]:
    """Return the inputs, and the names of all of them; None for the names if one could not be read."""
    inputs: list[Input] = []
    names: dict[str | None, None] = {}
    for fields in at_most(MAX_INPUTS, root, "inputs", _INPUT_KEYS):
        name = problems.keep(_parse_input_name, fields, names)
        names[name] = None
        given = problems.keep(parse_input, fields, name or "", problems)
        if given is not None:
            inputs.append(given)
    return tuple(inputs), None if None in names else frozenset(name for name in names if name is not None)


def _parse_input_name(fields: Fields, names: Mapping[str | None, None]) -> str:
    name = fields.text("name", 'Write a lower-case name, like name = "channel".', pattern=_INPUT_NAME)
    if name in names:
        raise fields.wrong("name", f"The input {name!r} is declared twice.", "Rename or remove one.")
    return name
