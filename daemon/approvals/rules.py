"""Unattended rules: what the person decided beforehand, in the configuration, for runs nobody watches."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.tools import ToolId


class Decision(StrEnum):
    """What a rule says of a tool."""

    ASK = "ask"
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule for one tool, with the reason that goes into the log."""

    decision: Decision
    reason: str


class Rules:
    """Decides whether a call waits for a person."""

    def __init__(self, rules: Mapping[ToolId, Rule]) -> None:
        self._rules = dict(rules)

    def exchange(self, rules: Mapping[ToolId, Rule]) -> None:
        """Decide by other rules from now on; a call that waits or is approved is measured by them when it is to run."""
        self._rules = dict(rules)

    def ruling(self, tool: ToolId, *, required: bool) -> Rule:
        """Return what applies to a tool: its rule, or else what the tool itself asks for."""
        rule = self._rules.get(tool)
        if rule is not None:
            return rule
        if required:
            return Rule(decision=Decision.ASK, reason="the tool itself requires approval")
        return Rule(decision=Decision.ALLOW, reason="the tool itself requires no approval")

    def names(self, kind: str) -> list[str]:
        """Return the names of the tools of a kind that have a rule."""
        return sorted(tool.name for tool in self._rules if tool.kind == kind)

    def is_unattended(self, tool: ToolId) -> bool:
        """Say whether a rule of the configuration, not the tool itself, lets it run."""
        rule = self._rules.get(tool)
        return rule is not None and rule.decision is Decision.ALLOW
