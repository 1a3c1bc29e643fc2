"""audit and sessions, against a stand-in."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.stand_in_server import Broken

from daemon.cli.failure import ExitCode

EVENT: dict[str, Any] = {
    "seq": 7,
    "id": "aud_7",
    "time": "2026-11-20T21:00:00.000Z",
    "type": "execution.failed",
    "session": "ses_1",
    "actor": "person:owner",
    "action": "ship-update",
    "connector": None,
    "failure_class": "network_error",
    "payload": {"x": "\x1b[2J", "aileron.principal.means": "page"},
    "hash": "h7",
}
HEAD = {"seq": 7, "hash": "h7", "time": "t", "key_id": "k", "public_key": "p", "signature": "s"}
SESSION = {
    "id": "ses_1",
    "kind": "terminal",
    "label": "shell\x1b[2J",
    "created_at": "2026-11-20T21:00:00.000Z",
    "expires_at": "2026-11-21T21:00:00.000Z",
    "ended_at": None,
    "end_reason": None,
    "opened_by": "person:owner",
    "opened_with": "cli",
}


def test_list_shows_the_newest_events_with_the_latest_last(cli: Any, stand_in: Any) -> None:
    newest_first = [EVENT, {**EVENT, "seq": 6, "id": "aud_6"}]
    stand_in.answers["GET /v1/audit"] = {"items": newest_first, "next": None}
    ended = cli("audit", "list", "--since", "1h", "--type", "execution.*", "--class", "network_error", "--limit", "2")
    assert [line.split()[-1] for line in ended.out.splitlines()[1:]] == ["aud_6", "aud_7"]
    assert stand_in.queries("GET /v1/audit") == [
        {
            "since": "2026-11-20T21:00:00.000Z",
            "type": "execution.*",
            "failure_class": "network_error",
            "limit": "2",
            "newest_first": "true",
        }
    ]


def test_follow_goes_on_where_the_list_ended(cli: Any, stand_in: Any, monkeypatch: Any) -> None:
    later = {**EVENT, "seq": 8, "id": "aud_8"}
    answers = [[EVENT], [later], []]

    def answer(request: httpx.Request) -> httpx.Response:
        if not answers:
            raise KeyboardInterrupt
        return httpx.Response(200, json={"items": answers.pop(0), "next": None})

    monkeypatch.setattr("daemon.cli.audit._FOLLOW_SECONDS", 0)
    stand_in.answers["GET /v1/audit"] = answer
    ended = cli("audit", "list", "--follow", "--json")
    assert ended.code == ExitCode.INTERRUPTED
    assert [json.loads(line)["id"] for line in ended.out.splitlines()] == ["aud_7", "aud_8"]
    assert [query.get("after_seq") for query in stand_in.queries("GET /v1/audit")] == [None, "7", "8", "8"]


def test_show_has_the_payload_and_obeys_none_of_it(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {"GET /v1/audit": {"items": [EVENT], "next": None}, "GET /v1/audit/aud_7": EVENT}
    ended = cli("audit", "show", "aud_7")
    assert "failure_class  network_error" in ended.out
    assert "\\u001b[2J" in ended.out
    assert "\x1b" not in ended.out
    assert cli("audit", "show", "aud_7", "--json").json == EVENT


def report(*problems: dict[str, Any]) -> dict[str, Any]:
    return {"ok": not problems, "events": 7, "seconds": 0.01, "problems": list(problems), "head": HEAD}


def test_verify_of_a_whole_log_is_0(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/audit/verify"] = report()
    ended = cli("audit", "verify")
    assert ended.code == 0
    assert "The log is whole: 7 events" in ended.out
    assert "keep a head elsewhere" in ended.err


def test_verify_prints_each_problem_and_is_1(cli: Any, stand_in: Any) -> None:
    problems = [{"kind": "modified", "seq": 3, "event_id": "aud_3", "message": "Event 3 was changed."}]
    stand_in.answers["POST /v1/audit/verify"] = report(*problems)
    ended = cli("audit", "verify")
    assert ended.code == ExitCode.FAILED
    assert "modified: Event 3 was changed. (aud_3)\n" in ended.out
    assert "NOT whole: 1 problem in 7 events" in ended.out
    ended = cli("audit", "verify", "--json")
    assert (ended.code, ended.json["problems"]) == (ExitCode.FAILED, problems)


def test_verify_takes_a_head_that_was_written_earlier(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers |= {"GET /v1/audit/head": HEAD, "POST /v1/audit/verify": report()}
    file = tmp_path / "head.json"
    assert cli("audit", "head", "--output", str(file)).out == ""
    assert json.loads(file.read_text()) == HEAD
    assert file.stat().st_mode & 0o077 == 0
    assert cli("audit", "verify", "--anchor", str(file)).code == 0
    assert stand_in.bodies("POST /v1/audit/verify") == [{"anchor": HEAD}]
    assert cli("audit", "head").json == HEAD
    file.write_text("[]")
    assert cli("audit", "verify", "--anchor", str(file)).code == ExitCode.USAGE


def test_export_streams_lines_to_stdout_or_a_file(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    lines = b"".join(json.dumps({**EVENT, "seq": seq}).encode() + b"\n" for seq in range(3))
    stand_in.answers["GET /v1/audit/export"] = lambda _: httpx.Response(200, content=iter([lines[:20], lines[20:]]))
    assert [json.loads(line)["seq"] for line in cli("audit", "export").out.splitlines()] == [0, 1, 2]
    file = tmp_path / "log.jsonl"
    ended = cli("audit", "export", "--output", str(file), "--action", "ship-update")
    assert (ended.out, ended.err) == ("", f"3 events written to {file}.\n")
    assert len(file.read_text().splitlines()) == 3
    assert stand_in.queries("GET /v1/audit/export")[1] == {"action": "ship-update"}


def test_an_export_that_breaks_off_leaves_no_file(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        def content() -> Any:
            yield b'{"seq": 1}\n'
            raise Broken

        return httpx.Response(200, content=content())

    stand_in.answers["GET /v1/audit/export"] = broken
    assert cli("audit", "export", "--output", str(tmp_path / "log.jsonl")).code == ExitCode.UNREACHABLE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["export", "key", "head"])
def test_a_file_that_is_there_is_never_written_over(cli: Any, stand_in: Any, tmp_path: Path, command: str) -> None:
    stand_in.answers |= {
        "GET /v1/audit/export": lambda _: httpx.Response(200, content=b'{"seq": 1}\n'),
        "GET /v1/audit/key": {"public_key": "key", "key_id": "k"},
        "GET /v1/audit/head": HEAD,
    }
    file, link, target = tmp_path / "kept", tmp_path / "link", tmp_path / "nothing-yet"
    file.write_text("older")
    link.symlink_to(target)
    for each in (file, link):
        ended = cli("audit", command, "--output", str(each))
        assert ended.code == ExitCode.USAGE
        assert f"{each} is there already" in ended.err
        assert "Give another name, or move that one away." in ended.err
    assert file.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "link"]


def test_a_file_that_appears_while_an_export_is_written_stays(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"

    def meanwhile(_: httpx.Request) -> httpx.Response:
        file.write_text("somebody's")
        return httpx.Response(200, content=b'{"seq": 1}\n')

    stand_in.answers["GET /v1/audit/export"] = meanwhile
    ended = cli("audit", "export", "--output", str(file))
    assert (ended.code, "made by somebody else meanwhile" in ended.err) == (ExitCode.FAILED, True)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    assert file.read_text() == "somebody's"


def test_output_that_cannot_be_written_is_a_failure(cli: Any, stand_in: Any, tmp_path: Path) -> None:
    stand_in.answers["GET /v1/audit/head"] = HEAD
    ended = cli("audit", "head", "--output", str(tmp_path / "none" / "head.json"))
    assert ended.code == ExitCode.FAILED
    assert "cannot be written" in ended.err


def test_output_to_a_pipe_or_a_device_is_written_there_and_nothing_takes_its_place(
    cli: Any, stand_in: Any, tmp_path: Path
) -> None:
    stand_in.answers["GET /v1/audit/head"] = HEAD
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert cli("audit", "head", "--output", str(pipe)).code == 0
        assert json.loads(os.read(reading, 65_536)) == HEAD
    finally:
        os.close(reading)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_sessions_are_listed_and_shown(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/sessions": {"items": [SESSION], "next": None},
        "GET /v1/workspaces": {"items": []},
        "GET /v1/sessions/ses_1": {**SESSION, "ended_at": "t", "end_reason": "closed"},
    }
    assert "ses_1  terminal  shell\\u001b[2J  1h ago   -     active" in cli("session", "list", "--active").out
    assert stand_in.queries("GET /v1/sessions") == [{"active": "true", "limit": "50"}]
    assert "ended: closed" in cli("session", "show", "ses_1").out


def test_events_of_a_session_are_found_by_the_end_of_its_id(cli: Any, stand_in: Any) -> None:
    other = {**SESSION, "id": "ses_21"}
    stand_in.answers |= {
        "GET /v1/sessions": {"items": [SESSION, other], "next": None},
        "GET /v1/audit": {"items": [], "next": None},
        "GET /v1/audit/export": httpx.Response(200, content=b""),
    }
    assert cli("audit", "list", "--session", "21").code == 0
    assert cli("audit", "export", "--session", "ses_2").code == 0
    asked = [stand_in.queries(call)[0]["session"] for call in ("GET /v1/audit", "GET /v1/audit/export")]
    assert asked == ["ses_21", "ses_21"]
    ambiguous = cli("audit", "list", "--session", "1")
    assert ambiguous.code == 2
    assert "means more than one session" in ambiguous.err
