"""What a launch into a container asks for: one value from the command line to the container.

The command line makes it (`daemon/cli/launch/`), `POST /v1/sandboxes` takes it as it is and checks it once, and
`daemon/sandbox/` obeys it. A new option is a field here, the place that offers it, and the place that obeys it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from daemon.core.json_rules import (
    ChoiceRule,
    FieldRule,
    FlagRule,
    NamedTextsRule,
    NumberRule,
    RuleError,
    TextRule,
    TextsRule,
)

WorkspaceWay = Literal["auto", "copy", "live"]
NetworkReach = Literal["internal", "open"]

_WORD = TextRule(131_072)
_PROCESS = NumberRule(1, 2**31 - 1, whole=True)
_CELLS = NumberRule(1, 10_000, whole=True)
_MEMORY = NumberRule(64 * 1024**2, 2**50, whole=True)
_MONTH_SECONDS = 30 * 86_400
_MAX_PROBLEMS = 20


class LaunchRequestError(ValueError):
    """What was sent is no launch; the message names every field that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """One launch. Every field is checked by the rule beside its type, and only where it comes from outside."""

    agent: Annotated[str, TextRule(40)]
    arguments: Annotated[tuple[str, ...], TextsRule(1000, _WORD)] = ()
    command: Annotated[tuple[str, ...], TextsRule(1000, _WORD)] = ()
    """Another program of the image; then the agent only names the image, and `arguments` is empty."""
    image: Annotated[str | None, TextRule(300)] = None
    """An image of the person's own, in which our tools are mounted."""
    workspace: Annotated[str, TextRule(4096, pattern="^/")]
    """The folder that the person launched in. A resumed session keeps the folder it began with."""
    workspace_way: Annotated[WorkspaceWay, ChoiceRule(get_args(WorkspaceWay))] = "auto"
    resume: Annotated[str | None, TextRule(100)] = None
    """The session whose layer goes on in this one."""
    git_name: Annotated[str, TextRule(1000)] = ""
    git_email: Annotated[str, TextRule(1000)] = ""
    git_branch: Annotated[str, TextRule(255)] = ""
    """As whom the person commits, and what their new repositories' first branch is called; empty: git does not say."""
    label: Annotated[str, TextRule(200)] = ""
    owner_pid: Annotated[int | None, _PROCESS] = None
    """The process whose end is the end of the sandbox."""
    terminal: Annotated[bool, FlagRule()] = False
    columns: Annotated[int, _CELLS] = 80
    rows: Annotated[int, _CELLS] = 24
    user: Annotated[str | None, TextRule(30)] = None
    network: Annotated[NetworkReach, ChoiceRule(get_args(NetworkReach))] = "internal"
    environment: Annotated[Mapping[str, str], NamedTextsRule(200, _WORD)] = field(default_factory=dict, repr=False)
    """It may hold keys, so it is never part of a text about the value."""
    memory_bytes: Annotated[int | None, _MEMORY] = None
    cpus: Annotated[float | None, NumberRule(0, 1024, above=True)] = None
    seconds: Annotated[float | None, NumberRule(0, _MONTH_SECONDS, above=True)] = None

    def as_json(self) -> dict[str, Any]:
        """Return every field, under its name."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, sent: Mapping[str, Any]) -> "LaunchRequest":
        """Check what was sent, and return it as a value.

        Raises LaunchRequestError for an unknown field, for one that is missing, and for one that breaks its rule.
        """
        rules = _rules()
        read: dict[str, Any] = {}
        problems: list[str] = []
        for each in fields(cls):
            if each.name not in sent:
                if each.default is MISSING and each.default_factory is MISSING:
                    problems.append(f"{each.name} is missing")
            elif sent[each.name] is None and each.default is None:
                read[each.name] = None
            else:
                try:
                    read[each.name] = rules[each.name].read(sent[each.name])
                except RuleError as problem:
                    problems.append(f"{each.name} {problem}")
        problems += [f"{name[:60]!r} is unknown" for name in sent if name not in rules]
        if problems:
            shown = problems[:_MAX_PROBLEMS]
            more = len(problems) - len(shown)
            raise LaunchRequestError("; ".join(shown) + (f"; and {more} more" if more else ""))
        return cls(**read)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the rules as a JSON Schema, which the API publishes."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for each in fields(cls):
            written = _rules()[each.name].schema()
            if each.default is None:
                written = {"anyOf": [written, {"type": "null"}]}
            if each.default is MISSING and each.default_factory is MISSING:
                required.append(each.name)
            properties[each.name] = written
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@cache
def _rules() -> Mapping[str, FieldRule]:
    hints = get_type_hints(LaunchRequest, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
