"""What a person who decides is shown of a call: each stage with its inputs, and what the service says beforehand."""

from dataclasses import dataclass
from typing import Any

from daemon.core.references import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShown:
    """One input of a stage: texts, and between them the places that an earlier stage's result will fill."""

    name: str
    parts: Parts

    def as_json(self) -> dict[str, Any]:
        """Return the input as the control API shows it."""
        return {
            "name": self.name,
            "parts": [
                {"text": part} if isinstance(part, str) else {"step": part.root, "path": ".".join(part.path)}
                for part in self.parts
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One stage: which operation of what (a connector, a server), where it may reach, and with what."""

    id: str
    connector: str
    version: str
    hash: str
    op: str
    op_description: str
    capability: str
    may_repeat: bool
    hosts: tuple[str, ...]
    inputs: tuple[InputShown, ...]
    doer: str = "connector"
    """What does it, in one word: a connector, a server."""
    reach: str = "no host"
    """Where it may reach, in words, if that is no list of hosts."""
    acts_as: str = "none"
    """As whom it acts, in words, if that is no account of ours."""

    def as_json(self) -> dict[str, Any]:
        """Return the stage as the control API shows it."""
        return {
            "id": self.id,
            "connector": {"name": self.connector, "version": self.version, "hash": self.hash},
            "op": self.op,
            "op_description": self.op_description,
            "capability": self.capability,
            "may_repeat": self.may_repeat,
            "hosts": list(self.hosts),
            "doer": self.doer,
            "reach": self.reach,
            "acts_as": self.acts_as,
            "inputs": [given.as_json() for given in self.inputs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a call would do, whole, or the reason why that cannot be said; then it must not be approved."""

    complete: bool
    message: str = ""
    description: str = ""
    steps: tuple[StepShown, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as the control API shows it."""
        return {
            "complete": self.complete,
            "message": self.message,
            "description": self.description,
            "steps": [step.as_json() for step in self.steps],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewField:
    """One line of a preview."""

    label: str
    value: str
    multiline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewShown:
    """What the service says of the thing; a preview that could not be had says why and blocks nothing."""

    available: bool
    fields: tuple[PreviewField, ...] = ()
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the preview as the control API shows it."""
        fields = [{"label": f.label, "value": f.value, "multiline": f.multiline} for f in self.fields]
        return {"available": self.available, "fields": fields, "message": self.message}
