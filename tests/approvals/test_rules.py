"""Which rule holds for a tool: its own, that for all of its origin, or what the tool itself asks for."""

import itertools

import pytest

from daemon.approvals.rules import EVERY, Decision, Rule, Rules
from daemon.core.tools import ToolId

READ = ToolId("server", "github/read")
EVERY_CASE = list(itertools.product([None, *Decision], [None, *Decision], [False, True]))


def rules(own: Decision | None, of_all: Decision | None) -> Rules:
    given = {READ: own, ToolId("server", f"github/{EVERY}"): of_all}
    return Rules({tool: Rule(decision=each, reason="", name=str(tool)) for tool, each in given.items() if each})


@pytest.mark.parametrize(("own", "of_all", "required"), EVERY_CASE)
def test_a_deny_holds_whatever_else_is_said_and_the_nearer_rule_goes_first(
    own: Decision | None, of_all: Decision | None, required: bool
) -> None:
    found = rules(own, of_all).ruling(READ, required=required)
    if Decision.DENY in {own, of_all}:
        assert found.decision is Decision.DENY
    else:
        assert found.decision is (own or of_all or (Decision.ASK if required else Decision.ALLOW))
    assert (found.name is None) == (own is None and of_all is None)
    if own is found.decision:
        assert found.name == "server.github/read", "the reason in the log is that of the nearer rule"


def test_rules_are_about_their_own_kind_and_origin_and_can_be_exchanged() -> None:
    held = rules(Decision.DENY, Decision.DENY)
    for other in (ToolId("action", "github/read"), ToolId("server", "gitlab/read"), ToolId("server", "read")):
        assert held.ruling(other, required=False).decision is Decision.ALLOW
    assert held.names("server") == ["github/*", "github/read"]
    assert held.names("action") == []
    held.exchange({})
    assert held.ruling(READ, required=False).decision is Decision.ALLOW
    assert held.names("server") == []
