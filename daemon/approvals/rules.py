"""Unattended rules: what the person decided beforehand, in the configuration, for runs nobody watches."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.tools import ToolId

EVERY = "*"
"""Stands in a rule for every tool of one origin: the rule for `server`, `github/*` is about all tools of github."""


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
    name: str | None = None
    """How the configuration names it; None for what the tool itself asks for."""


class Rules:
    """Decides whether a call waits for a person."""

    def __init__(self, rules: Mapping[ToolId, Rule]) -> None:
        self._rules = dict(rules)

    def exchange(self, rules: Mapping[ToolId, Rule]) -> None:
        """Decide by other rules from now on; a call that waits or is approved is measured by them when it is to run."""
        self._rules = dict(rules)

    def ruling(self, tool: ToolId, *, required: bool) -> Rule:
        """Return what applies to a tool: its rule, or else what the tool itself asks for.

        A deny holds whatever another rule says. Otherwise the rule of one tool goes before that of all tools of its
        origin, so that `ask` for all and `allow` for one is possible.
        """
        found = [rule for each in (tool, _every(tool)) if (rule := self._rules.get(each)) is not None]
        if found:
            return next((rule for rule in found if rule.decision is Decision.DENY), found[0])
        if required:
            return Rule(decision=Decision.ASK, reason="the tool itself requires approval")
        return Rule(decision=Decision.ALLOW, reason="the tool itself requires no approval")

    def names(self, kind: str) -> list[str]:
        """Return the names of the tools of a kind that have a rule."""
        return sorted(tool.name for tool in self._rules if tool.kind == kind)


def _every(tool: ToolId) -> ToolId:
    return ToolId(tool.kind, f"{tool.name.partition('/')[0]}/{EVERY}")
