"""Unattended rules: what the person decided beforehand, in the configuration, for runs nobody watches."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What a rule says of an action."""

    ASK = "ask"
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule for one action, with the reason that goes into the log."""

    decision: Decision
    reason: str


class Rules:
    """Decides whether a call waits for a person."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = dict(rules)

    def ruling(self, action: str, *, required: bool) -> Rule:
        """Return what applies to an action: its rule, or else what its own file asks for."""
        rule = self._rules.get(action)
        if rule is not None:
            return rule
        if required:
            return Rule(decision=Decision.ASK, reason="the action file requires approval")
        return Rule(decision=Decision.ALLOW, reason="the action file requires no approval")

    def names(self) -> list[str]:
        """Return the actions that have a rule."""
        return sorted(self._rules)

    def is_unattended(self, action: str) -> bool:
        """Say whether a rule of the configuration, not the action file, lets the action run."""
        rule = self._rules.get(action)
        return rule is not None and rule.decision is Decision.ALLOW
