"""What an action is: its inputs, the connectors it needs, its approval and its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.core.fqn import Fqn
from daemon.core.semver import Version
from daemon.core.templates import Template
from daemon.core.tools import ApprovalPolicy

InputType = Literal["string", "integer", "number", "boolean"]

MAX_STEP_SECONDS = 300.0
MAX_APPROVAL_SECONDS = 30 * 86_400.0
DEFAULT_STEP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ConnectorRequirement:
    """One connector an action needs: exactly this version, exactly these bytes, only these capabilities."""

    name: Fqn
    version: Version
    hash: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """One argument an action takes, with its narrowing."""

    name: str
    type: InputType
    required: bool = True
    description: str = ""
    enum: tuple[Any, ...] | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    default: Any | None = None
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """An idempotent operation that shows the person what the call would touch."""

    op: str
    args: Mapping[str, Template]
    render: Mapping[str, str]
    multiline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionApproval(ApprovalPolicy):
    """What an action's file asks for, with what a person is shown beforehand."""

    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One call to a connector."""

    id: str
    connector: Fqn
    op: str
    timeout_seconds: float = DEFAULT_STEP_SECONDS
    inputs: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """A declarative action, checked; the description is what the model reads."""

    name: str
    version: Version
    source: str | None
    requires: tuple[ConnectorRequirement, ...]
    intent: str | None
    inputs: tuple[Input, ...]
    approval: ActionApproval
    steps: tuple[Step, ...]
    description: str

    @property
    def tool_name(self) -> str:
        """Return the name the model calls the action by."""
        return self.name.replace("-", "_")

    def requirement_for(self, connector: Fqn) -> ConnectorRequirement:
        """Return what the action requires of a connector it uses."""
        for requirement in self.requires:
            if requirement.name == connector:
                return requirement
        raise KeyError(f"the action {self.name} does not require {connector}")
