"""action and open, against a stand-in."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from daemon.cli.failure import ExitCode
from daemon.core.action_parser import parse_action

ACTION: dict[str, Any] = {
    "name": "ship-update",
    "version": "1.0.0",
    "enabled": True,
    "state": "ready",
    "problems": [],
    "approval_required": True,
    "decision": "ask",
    "tool_name": "ship_update",
    "description": "# Ship update\nPosts \x1b[2Jit.",
    "inputs": [
        {"name": "channel", "type": "string", "required": True, "description": "Where to."},
        {"name": "count", "type": "integer", "required": False, "description": ""},
    ],
    "requires": [],
    "file": "/home/u/.aileron/actions/ship-update.md",
    "text": "...",
    "hash": "sha256:1",
    "steps": [{"id": "post", "connector": "github://acme/slack", "op": "post", "timeout_seconds": 30}],
}
WAITING = {"approval_id": "apr_1", "review_url": "http://127.0.0.1:1/approvals/apr_1", "message": "waits"}
RUN = "POST /v1/actions/ship-update/run"
RESULT = "GET /v1/action-approvals/apr_1/result"


@pytest.fixture(autouse=True)
def _action(stand_in: Any) -> None:
    stand_in.answers["GET /v1/actions/ship-update"] = ACTION


def test_run_sends_typed_arguments_and_prints_the_result(cli: Any, stand_in: Any) -> None:
    stand_in.answers[RUN] = {"audit_id": "aud_9", "result": {"ok": True, "text": "\x1b[2J"}}
    ended = cli("action", "run", "ship-update", "channel=#general", "count=3")
    assert ended.code == 0
    assert json.loads(ended.out) == {"ok": True, "text": "\x1b[2J"}
    assert "\x1b" not in ended.out
    assert "aud_9" in ended.err
    assert stand_in.bodies(RUN) == [{"arguments": {"channel": "#general", "count": 3}}]


def test_run_with_json_prints_the_answer_of_the_api(cli: Any, stand_in: Any) -> None:
    answer = {"audit_id": "aud_9", "result": None}
    stand_in.answers[RUN] = answer
    assert cli("action", "run", "ship-update", "--args-json", '{"channel": "x"}', "--json").json == answer


def test_run_that_needs_approval_ends_with_75_and_says_how_to_go_on(cli: Any, stand_in: Any) -> None:
    stand_in.answers[RUN] = (202, WAITING)
    ended = cli("action", "run", "ship-update", "channel=x")
    assert ended.code == ExitCode.WAITING
    for part in ("apr_1", WAITING["review_url"], "aileron open approval apr_1", "aileron action result apr_1 --wait"):
        assert part in ended.err
    assert ended.out == ""
    ended = cli("action", "run", "ship-update", "channel=x", "--json")
    assert (ended.code, ended.json) == (ExitCode.WAITING, WAITING)


def test_wait_polls_until_the_run_has_an_end(cli: Any, stand_in: Any) -> None:
    stand_in.answers[RUN] = (202, WAITING)
    stand_in.answers[RESULT] = [
        (200, {"status": "pending", "message": "m"}),
        (200, {"status": "approved", "message": "m"}),
        (200, {"status": "running", "message": "m"}),
        (200, {"status": "completed", "message": "m", "result": {"done": 1}, "audit_id": "aud_2"}),
    ]
    ended = cli("action", "run", "ship-update", "channel=x", "--wait")
    assert ended.code == 0
    assert json.loads(ended.out) == {"done": 1}
    assert all(0 < float(query["wait"]) <= 30 for query in stand_in.queries(RESULT))


@pytest.mark.parametrize(
    ("answer", "failure_class"),
    [
        (
            {"status": "denied", "message": "no", "error": {"class": "approval_denied", "message": "no"}},
            "approval_denied",
        ),
        ({"status": "expired", "message": "late"}, "approval_expired"),
        ({"status": "void", "message": "changed"}, "approval_void"),
        ({"status": "failed", "error": {"class": "network_error", "message": "no net"}}, "network_error"),
        ({"status": "unknown", "message": "who knows"}, "outcome_unknown"),
    ],
)
def test_a_run_that_came_to_nothing_is_a_failure(cli: Any, stand_in: Any, answer: Any, failure_class: str) -> None:
    stand_in.answers[RUN] = (202, WAITING)
    stand_in.answers[RESULT] = answer
    ended = cli("action", "run", "ship-update", "channel=x", "--wait")
    assert ended.code == ExitCode.FAILED
    assert f"error ({failure_class})" in ended.err


def test_a_wait_that_is_over_ends_with_75(cli: Any, stand_in: Any) -> None:
    stand_in.answers[RESULT] = {"status": "pending", "message": "A person has not decided yet."}
    ended = cli("action", "result", "apr_1", "--wait", "--timeout", "10ms")
    assert ended.code == ExitCode.WAITING
    assert "aileron action result apr_1 --wait" in ended.err
    assert cli("action", "result", "apr_1").code == ExitCode.WAITING
    assert cli("action", "result", "1").code == ExitCode.WAITING  # the end of the id is enough
    assert "no approval" in cli("action", "result", "nope").err


def test_ctrl_c_while_waiting_tells_how_to_come_back(cli: Any, stand_in: Any) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stand_in.answers[RUN] = (202, WAITING)
    stand_in.answers[RESULT] = interrupt
    ended = cli("action", "run", "ship-update", "channel=x", "--wait")
    assert ended.code == ExitCode.INTERRUPTED
    assert "To come back: aileron action result apr_1 --wait" in ended.err


def test_ctrl_c_during_a_run_says_that_it_may_go_on(cli: Any, stand_in: Any) -> None:
    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stand_in.answers[RUN] = interrupt
    ended = cli("action", "run", "ship-update", "channel=x")
    assert ended.code == ExitCode.INTERRUPTED
    assert "may still be running" in ended.err


def test_an_unknown_argument_never_reaches_the_daemon(cli: Any, stand_in: Any) -> None:
    ended = cli("action", "run", "ship-update", "chanel=x")
    assert ended.code == ExitCode.USAGE
    assert "Did you mean channel?" in ended.err
    assert stand_in.bodies(RUN) == []


def test_list_and_show_put_hostile_descriptions_on_one_safe_line(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/actions"] = {"items": [ACTION], "next": None}
    assert "ship-update  1.0.0    ready  ask       Ship update" in cli("action", "list").out
    ended = cli("action", "show", "ship-update")
    assert "a person must approve each call" in ended.out
    assert "Posts \\u001b[2Jit." in ended.out


def test_check_prints_every_problem_with_its_place(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("+++")
    problems = [
        {"file": str(file), "line": 3, "problem": "Unknown key 'nmae'.", "remedy": "Did you mean name?"},
        {"file": str(file), "line": None, "problem": "No such operation.", "remedy": ""},
    ]
    stand_in.answers["POST /v1/actions/check"] = {"ok": False, "problems": problems}
    ended = cli("action", "check", str(file))
    assert ended.code == ExitCode.FAILED
    assert ended.out == f"{file}:3: Unknown key 'nmae'. Did you mean name?\n{file}: No such operation.\n"
    assert cli("action", "check", str(file), "--json").json == {"ok": False, "problems": problems}
    stand_in.answers["POST /v1/actions/check"] = {"ok": True, "problems": []}
    assert cli("action", "check", str(file), str(file)).err == "2 files checked, no problems.\n"


def test_check_takes_the_name_of_an_installed_action_and_a_file_comes_first(
    cli: Any, stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.answers["POST /v1/actions/check"] = {"ok": True, "problems": []}
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions/ship.md").write_text("installed")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert cli("action", "check", "ship").code == 0
    Path("ship").write_text("a file of that name")
    assert cli("action", "check", "ship").code == 0
    assert [body["text"] for body in stand_in.bodies("POST /v1/actions/check")] == ["installed", "a file of that name"]
    ended = cli("action", "check", "shop")
    assert ended.code == ExitCode.USAGE
    assert "neither a file here nor an installed action" in ended.err
    assert "aileron action list" in ended.err


def test_check_of_a_file_that_is_not_there_is_a_usage_failure(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    assert cli("action", "check", str(tmp_path / "none.md")).code == ExitCode.USAGE


def test_new_writes_a_file_that_parses_and_never_writes_over_one(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers["GET /v1/connectors"] = {"items": [{"name": "github://acme/slack", "version": "1.2.0"}]}
    ended = cli("action", "add", "ship-update")
    path = tmp_path / "actions" / "ship-update.md"
    assert (ended.code, ended.out) == (0, f"{path}\n")
    assert "github://acme/slack@1.2.0" in ended.err
    assert parse_action(path.read_text(), file=str(path)).name == "ship-update"
    path.write_text("mine")
    assert cli("action", "add", "ship-update").code == ExitCode.FAILED
    assert path.read_text() == "mine"


def test_new_needs_no_daemon(cli: Any, stand_in: Any) -> None:
    stand_in.running = False
    assert cli("action", "add", "ship-update").code == 0
    assert stand_in.requests == []


def test_new_takes_the_inputs_of_the_operation(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    op = {
        "name": "post",
        "capability": "chat:write",
        "idempotent": False,
        "description": "",
        "inputs": ACTION["inputs"],
    }
    connector = {"name": "github://acme/slack", "version": "1.2.0", "hash": "sha256:" + "0" * 64, "ops": [op, op]}
    stand_in.answers["GET /v1/connectors/show"] = connector
    command = ("action", "add", "a-b", "--connector", "github://acme/slack")
    assert "Pass --op with one of: post, post" in cli(*command).err
    assert "has no operation 'x'" in cli(*command, "--op", "x").err
    assert cli(*command, "--op", "post").code == 0
    path = tmp_path / "actions" / "a-b.md"
    assert [item.name for item in parse_action(path.read_text(), file=str(path)).inputs] == ["channel", "count"]


@pytest.mark.parametrize("name", ["Ship", "ship_update", "../x", "a--b", "1a", ""])
def test_new_refuses_what_is_no_name(cli: Any, name: str) -> None:
    assert cli("action", "add", name).code == ExitCode.USAGE


def test_enable_and_disable_say_what_they_did(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/actions/ship-update/enable"] = ACTION
    stand_in.answers["POST /v1/actions/ship-update/disable"] = ACTION
    assert cli("action", "enable", "ship-update").out == "ship-update is enabled.\n"
    assert cli("action", "disable", "ship-update").out == "ship-update is disabled.\n"


def test_open_prints_the_link_and_opens_it_only_where_there_is_a_screen(
    cli: Any, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    stand_in.answers["GET /v1/approvals/apr_1"] = {"id": "apr_1"}
    stand_in.answers["POST /v1/browser-logins"] = {"url": "http://127.0.0.1:1/login?code=c"}
    assert cli("open", "approval", "apr_1").out == "http://127.0.0.1:1/login?code=c\n"
    assert opened == []
    assert cli("open", "approval", "apr_1", environ={"DISPLAY": ":0"}).code == 0
    assert cli("open", "approval", "apr_1", "--no-browser", environ={"DISPLAY": ":0"}).code == 0
    assert opened == ["http://127.0.0.1:1/login?code=c"]
    assert stand_in.bodies("POST /v1/browser-logins")[0] == {"next": "/approvals/apr_1"}
    assert cli("open", "approval", "apr_2").code == ExitCode.FAILED
