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
        self.exchange(rules)

    def exchange(self, rules: Mapping[ToolId, Rule]) -> None:
        """Decide by other rules from now on; a call that waits or is approved is measured by them when it is to run."""
        by_kind: dict[str, dict[str, Rule]] = {}
        for tool, rule in rules.items():
            by_kind.setdefault(tool.kind, {})[tool.name] = rule
        self._rules = by_kind

    def ruling(self, tool: ToolId, *, required: bool) -> Rule:
        """Return what applies to a tool: its rule, or else what the tool itself asks for.

        A deny holds whatever another rule says. Otherwise the rule of one tool goes before that of all tools of its
        origin, so that `ask` for all and `allow` for one is possible.
        """
        rules = self._rules.get(tool.kind, {})
        rule, of_all = rules.get(tool.name), rules.get(f"{tool.name.partition('/')[0]}/{EVERY}")
        if of_all is not None and (
            rule is None or (of_all.decision is Decision.DENY and rule.decision is not Decision.DENY)
        ):
            return of_all
        if rule is not None:
            return rule
        return _REQUIRED if required else _UNREQUIRED

    def names(self, kind: str) -> list[str]:
        """Return the names of the tools of a kind that have a rule."""
        return sorted(self._rules.get(kind, ()))


_REQUIRED = Rule(decision=Decision.ASK, reason="the tool itself requires approval")
_UNREQUIRED = Rule(decision=Decision.ALLOW, reason="the tool itself requires no approval")
