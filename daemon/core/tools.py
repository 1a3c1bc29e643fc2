"""Tools of every kind, as values: what is offered, what is asked for, what it would touch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from daemon.core.principal import Principal

DEFAULT_APPROVAL_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class ToolId:
    """Which tool: its kind, and its name among its kind."""

    kind: str
    name: str

    def __str__(self) -> str:
        """Write it the way rules name it."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """What a tool says of its own effects. They inform, and never loosen anything; unsaid, the worst is assumed."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as agents see it."""

    tool: ToolId
    name: str
    """The name that agents call it by; no two tools of one daemon have the same one."""
    origin: str
    title: str
    version: str
    description: str
    input_schema: Mapping[str, Any]
    definition: str
    """The hash of its definition."""
    approval_required: bool
    output_schema: Mapping[str, Any] | None = None
    annotations: Annotations = Annotations()
    meta: Mapping[str, Any] | None = None
    """What its origin says of it for programs, as `_meta` of MCP."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the agent API shows it."""
        return {
            "name": self.name,
            "kind": self.tool.kind,
            "origin": self.origin,
            "title": self.title,
            "version": self.version,
            "description": self.description,
            "input_schema": dict(self.input_schema),
            "output_schema": None if self.output_schema is None else dict(self.output_schema),
            "definition_hash": self.definition,
            "approval_required": self.approval_required,
            "annotations": {
                "read_only": self.annotations.read_only,
                "destructive": self.annotations.destructive,
                "idempotent": self.annotations.idempotent,
                "open_world": self.annotations.open_world,
            },
            "meta": None if self.meta is None else dict(self.meta),
        }


class ToolCall(NamedTuple):
    """Somebody wants a tool to run."""

    principal: Principal
    session: str
    tool: ToolId
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Whether a person must approve a call, and how long the question stands."""

    required: bool = False
    expires_seconds: float = DEFAULT_APPROVAL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One part of a run that may have an effect; a run has at least one."""

    name: str
    op: str
    """What is done, as records name it."""
    target: str
    """What does it, such as a connector."""
    may_repeat: bool
    """Whether doing it twice does no more than doing it once."""
