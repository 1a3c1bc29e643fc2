"""In a container the agent's own cage and its prompts are off, unless the person asks for something else by name."""

import json
import tomllib
from typing import Any

import pytest

from launchers.agents import AGENTS
from launchers.plan import LaunchContext, LaunchPlan

NEW = {"claude": (2, 1, 329), "codex": (0, 169, 0), "goose": (1, 52, 0), "opencode": (1, 18, 33), "pi": (1, 5, 2)}


def plan(name: str, *arguments: str, **more: Any) -> LaunchPlan:
    given: dict[str, Any] = {
        "executable": (f"/usr/bin/{name}",),
        "version": NEW[name],
        "arguments": arguments,
        "mcp_command": ("/opt/aileron/bin/aileron-mcp",),
        "agent_url": "https://172.30.0.1:4711",
        "token": "ailt_sentinel.token",
        "session_id": "ses_1",
        "scratch": "/run/launch-1",
        "home": "/home/agent",
        "sandboxed": True,
        "workspace": "/work space",
    }
    return AGENTS[name].plan(LaunchContext(**(given | more)))


def overrides(made: LaunchPlan) -> dict[str, Any]:
    """Return what codex is told with -c."""
    given = [made.argv[place + 1] for place, part in enumerate(made.argv) if part == "-c"]
    return dict(setting.split("=", 1) for setting in given)


def test_codex_trusts_the_folder_and_neither_cages_itself_nor_asks() -> None:
    said = overrides(plan("codex", "exec", "do it"))
    assert tomllib.loads(f"projects = {said['projects']}") == {"projects": {"/work space": {"trust_level": "trusted"}}}
    assert (said["sandbox_mode"], said["approval_policy"]) == ('"danger-full-access"', '"never"')


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (("-s", "read-only"), {"approval_policy"}),
        (("--sandbox", "read-only"), {"approval_policy"}),
        (("-a", "on-request"), {"sandbox_mode"}),
        (("--ask-for-approval", "untrusted"), {"sandbox_mode"}),
        (("--full-auto",), set()),
        (("--dangerously-bypass-approvals-and-sandbox",), set()),
    ],
)
def test_what_the_person_says_to_codex_is_not_overruled(asked: tuple[str, ...], left: set[str]) -> None:
    said = overrides(plan("codex", *asked))
    assert {"sandbox_mode", "approval_policy"} & said.keys() == left


def test_claude_finds_its_first_questions_answered_and_asks_nothing() -> None:
    made = plan("claude", "-p", "do it")
    (state,) = (json.loads(file.text) for file in made.files if file.path == "/home/agent/.claude.json")
    assert state["projects"] == {"/work space": {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}}
    assert "--dangerously-skip-permissions" in made.argv
    assert made.environment["IS_SANDBOX"] == "1"


def test_a_permission_mode_that_the_person_names_stays_claudes() -> None:
    made = plan("claude", "--permission-mode", "plan")
    assert "--dangerously-skip-permissions" not in made.argv


def test_goose_runs_by_itself_unless_the_person_set_its_mode() -> None:
    assert plan("goose", "run").environment["GOOSE_MODE"] == "auto"
    made = plan("goose", "run", environment={"GOOSE_MODE": "chat"})
    assert "GOOSE_MODE" not in made.environment


def test_opencode_waits_for_nothing_that_is_outside() -> None:
    made = plan("opencode", "run")
    assert made.environment["OPENCODE_DISABLE_MODELS_FETCH"] == "1"
    laid = [json.loads(value) for value in made.environment.values() if value.startswith("{")]
    assert [settings["permission"] for settings in laid] == [{"*": "allow"}]


@pytest.mark.parametrize("name", AGENTS)
def test_a_plan_for_the_host_has_none_of_it(name: str) -> None:
    made = plan(name, "run", sandboxed=False)
    told = " ".join(made.argv) + json.dumps(dict(made.environment))
    assert "danger" not in told
    assert "IS_SANDBOX" not in told
