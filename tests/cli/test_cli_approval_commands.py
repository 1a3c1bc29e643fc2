"""approval, against a stand-in: everything is shown, nothing is obeyed, no key decides what was not yet shown."""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cli.stand_in_server import Broken, StandInServer

from daemon.cli.approval_watch import ApprovalWatch
from daemon.cli.client import ControlClient
from daemon.cli.connection import DaemonConnection
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

PENDING: dict[str, Any] = {
    "id": "apr_1",
    "state": "pending",
    "action": "ship-update",
    "action_version": "1.0.0",
    "kind": "action",
    "session": "ses_1",
    "actor": "agent:ses_1",
    "asked_with": "session_token",
    "arguments": {"channel": "#general", "text": "\x1b[2J\u202eevil"},
    "action_hash": "sha256:a",
    "connectors": ["sha256:1"],
    "accounts": [{"connector": "github://acme/slack", "name": "team", "kind": "api_key", "version": 3, "seal": "x"}],
    "digest": "sha256:d",
    "created_at": "2026-11-20T21:55:00.000Z",
    "expires_at": "2026-11-21T21:55:00.000Z",
    "decided_at": None,
    "decided_by": None,
    "decided_with": None,
    "decision_reason": None,
    "outcome": None,
    "review_url": "http://127.0.0.1:1/approvals/apr_1",
    "explanation": {
        "complete": True,
        "message": "",
        "description": "# Ship\n\nTells the team.",
        "steps": [
            {
                "id": "look",
                "connector": {"name": "github://acme/slack", "version": "1.2.0", "hash": "sha256:1"},
                "op": "find",
                "op_description": "Find a channel.",
                "capability": "chat:read",
                "may_repeat": True,
                "hosts": ["slack.com:443"],
                "doer": "connector",
                "reach": "no host",
                "acts_as": "none",
                "inputs": [{"name": "name", "parts": [{"text": "#general"}]}],
            },
            {
                "id": "post",
                "connector": {"name": "github://acme/slack", "version": "1.2.0", "hash": "sha256:1"},
                "op": "post_message",
                "op_description": "",
                "capability": "chat:write",
                "may_repeat": False,
                "hosts": ["slack.com:443"],
                "doer": "connector",
                "reach": "no host",
                "acts_as": "none",
                "inputs": [
                    {
                        "name": "text",
                        "parts": [
                            {"text": "@here \u3164⟦x⟧ "},
                            {"step": "look", "path": "items.0.id"},
                            {"text": "\nend"},
                        ],
                    }
                ],
            },
        ],
    },
}
VOID = PENDING | {
    "explanation": {"complete": False, "message": "What would run cannot be shown: it changed.", "steps": []}
}


def answers(stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/approvals": {"items": [PENDING], "next": None},
        "GET /v1/approvals/apr_1": PENDING,
        "GET /v1/approvals/apr_1/preview": {
            "available": True,
            "message": "",
            "fields": [
                {"label": "To", "value": "a@b\x1b[31m", "multiline": False},
                {"label": "Body", "value": "one\ntwo\r", "multiline": True},
            ],
        },
    }


def test_list_asks_for_what_is_pending_unless_told_otherwise(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    assert "apr_1  pending  ship-update  ses_1" in cli("approval", "list").out
    cli("approval", "list", "--state", "all")
    assert stand_in.queries("GET /v1/approvals") == [{"state": "pending", "limit": "50"}, {"limit": "50"}]
    assert cli("approval", "list", "--state", "open").code == ExitCode.USAGE


def test_show_has_everything_one_needs_to_decide(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    ended = cli("approval", "show", "apr_1")
    for part in (
        "ship-update 1.0.0",
        "agent, session ses_1, 5m ago",
        "23h 55m",
        "sha256:d",
        "connector  sha256:1",
        '"text": "\\u001b[2J\\u202eevil"',
        "To  a@b\\u001b[31m",
        "  | one\n  | two\\r\n",
    ):
        assert part in ended.out
    assert "aileron approval approve apr_1" in ended.err
    assert not {"\x1b", "\u202e", "\r"} & set(ended.out)


def test_show_has_every_step_as_it_will_be_sent_and_hashes_last(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    out = cli("approval", "show", "apr_1").out
    assert "  | # Ship\n  | \n  | Tells the team.\n" in out
    assert (
        "Step 1 of 2: look\noperation  find: Find a channel.\nconnector  github://acme/slack@1.2.0\n"
        "may reach  slack.com:443\naccount    team (api_key, version 3)\n"
        "effect     doing it again changes nothing more (chat:read)\nname:\n  | #general\n"
    ) in out
    assert "Step 2 of 2: post\noperation  post_message\n" in out
    assert "effect     each time it is done counts (chat:write)\n" in out
    assert "text:\n  | @here \\u3164\\u27e6x\\u27e7 ⟦result of step look: items.0.id⟧\n  | end\n" in out
    parts = ["Tells the team", "Step 1", "slack.com:443", "team (api_key", "asked by", "Arguments", "sha256:1"]
    assert [out.index(part) for part in parts] == sorted(out.index(part) for part in parts)
    assert cli("approval", "show", "apr_1", "--json").json == PENDING


def test_a_tool_of_a_server_is_called_a_tool_and_its_hashes_by_what_they_are_of(cli: Any, stand_in: Any) -> None:
    item = PENDING | {"action": "github/create_issue", "action_version": "", "kind": "server"}
    stand_in.answers["GET /v1/approvals/apr_1"] = item
    out = cli("approval", "show", "apr_1").out
    assert "tool      github/create_issue\n" in out
    assert "definition  sha256:a\nserver      sha256:1\n" in out


def test_a_long_argument_is_shown_to_its_end_and_its_length_is_said(cli: Any, stand_in: Any) -> None:
    step = PENDING["explanation"]["steps"][0] | {
        "inputs": [{"name": "x", "parts": [{"text": "a\n" * 500 + "the end"}]}]
    }
    item = PENDING | {"explanation": PENDING["explanation"] | {"steps": [step]}}
    stand_in.answers["GET /v1/approvals/apr_1"] = item
    out = cli("approval", "show", "apr_1").out
    assert "x (1,007 characters on 501 lines, all of it here):" in out
    assert "  | the end\n" in out


def test_a_line_that_the_terminal_would_break_keeps_its_mark(cli: Any, stand_in: Any) -> None:
    forged = "x" + " " * 75 + "account    safe (api_key, version 1)"
    step = PENDING["explanation"]["steps"][0] | {"inputs": [{"name": "x", "parts": [{"text": forged}]}]}
    item = PENDING | {"explanation": PENDING["explanation"] | {"steps": [step]}, "arguments": {"x": forged}}
    stand_in.answers["GET /v1/approvals/apr_1"] = item
    lines = cli("approval", "show", "apr_1", terminal=True, environ={"NO_COLOR": "1"}).out.splitlines()
    assert any("safe (api_key" in line for line in lines)
    assert all(line.startswith("  | ") for line in lines if "safe (api_key" in line)


def test_what_cannot_be_shown_whole_is_said_and_approving_is_not_offered(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/approvals/apr_1"] = VOID
    ended = cli("approval", "show", "apr_1")
    assert "What would run cannot be shown: it changed." in ended.out
    assert "approval approve" not in ended.err
    assert "approval deny apr_1" in ended.err
    ended = cli("approval", "approve", "apr_1", terminal=True, stdin="y\n")
    assert ended.code == ExitCode.FAILED
    assert "cannot be shown in full" in ended.err
    assert stand_in.bodies("POST /v1/approvals/apr_1/approve") == []


@pytest.mark.parametrize("typed", ["\n", " \n", "n\n", "x\n", "no\n", "yess\n", ""])
def test_on_a_terminal_approve_shows_the_request_and_enter_alone_means_no(cli: Any, stand_in: Any, typed: str) -> None:
    answers(stand_in)
    ended = cli("approval", "approve", "apr_1", terminal=True, stdin=typed)
    assert ended.code == ExitCode.FAILED
    assert "Step 2 of 2: post" in ended.out
    assert "Approve exactly this, once? [y/N]" in ended.err
    assert stand_in.bodies("POST /v1/approvals/apr_1/approve") == []


def test_on_a_terminal_approve_goes_on_with_a_yes(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    stand_in.answers["POST /v1/approvals/apr_1/approve"] = {**PENDING, "state": "approved"}
    result = {"approval_id": "apr_1", "status": "completed", "message": "It was approved and has run."}
    stand_in.answers["GET /v1/action-approvals/apr_1/result"] = result
    assert cli("approval", "approve", "apr_1", terminal=True, stdin="yes\n").code == 0
    assert cli("approval", "approve", "apr_1", "--yes", terminal=True).code == 0
    assert len(stand_in.bodies("POST /v1/approvals/apr_1/approve")) == 2


def test_a_preview_that_fails_does_not_hide_the_request(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    del stand_in.answers["GET /v1/approvals/apr_1/preview"]
    ended = cli("approval", "show", "apr_1")
    assert ended.code == 0
    assert "No preview: no GET" in ended.out
    assert "sha256:1" in ended.out


def test_a_decided_request_shows_who_why_and_what_became_of_it(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/approvals/apr_1"] = {
        **PENDING,
        "state": "completed",
        "connectors": [],
        "decided_at": "2026-11-20T21:58:00.000Z",
        "decided_by": "person:owner",
        "decided_with": "page",
        "decision_reason": "fine",
        "outcome": {"result": {"ok": True}},
    }
    ended = cli("approval", "show", "apr_1")
    assert "by you, in a browser, 2m ago: fine" in ended.out
    assert '"ok": true' in ended.out
    assert ended.err == ""


def test_a_decision_takes_a_reason(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/approvals/apr_1/approve"] = {**PENDING, "state": "approved"}
    stand_in.answers["POST /v1/approvals/apr_1/deny"] = {**PENDING, "state": "denied"}
    result = {"approval_id": "apr_1", "status": "completed", "message": "It was approved and has run."}
    stand_in.answers["GET /v1/action-approvals/apr_1/result"] = result
    assert cli("approval", "approve", "apr_1").out == "Approved: ship-update (apr_1).\nIt has run.\n"
    assert cli("approval", "deny", "apr_1", "--reason", "no").out == "Denied: ship-update (apr_1).\n"
    stand_in.answers["POST /v1/approvals/apr_2/deny"] = {**PENDING, "id": "apr_2", "state": "denied", "withdrawn": True}
    assert cli("approval", "deny", "apr_2").out == "Withdrawn: ship-update (apr_2).\n"
    assert stand_in.bodies("POST /v1/approvals/apr_1/approve") == [{}]
    assert stand_in.bodies("POST /v1/approvals/apr_1/deny") == [{"reason": "no"}]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("failed", "It ran and failed: the service said 500"),
        ("void", "It was not run: the service said 500"),
        ("unknown", "It was interrupted, and nobody knows whether it took effect: the service said 500"),
    ],
)
def test_approving_says_at_once_that_the_call_came_to_nothing(cli: Any, stand_in: Any, status: str, said: str) -> None:
    stand_in.answers["POST /v1/approvals/apr_1/approve"] = {**PENDING, "state": "approved"}
    stand_in.answers["GET /v1/action-approvals/apr_1/result"] = {
        "approval_id": "apr_1",
        "status": status,
        "message": "generally",
        "error": {"class": "external_api_error", "message": "the service said 500"},
    }
    ended = cli("approval", "approve", "apr_1")
    assert ended.code != 0
    assert ended.out == "Approved: ship-update (apr_1).\n"
    assert said in ended.err


def test_approving_says_that_a_call_has_not_run_yet_and_why(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/approvals/apr_1/approve"] = {**PENDING, "state": "approved"}
    result = {"approval_id": "apr_1", "status": "approved", "message": "A person approved it; it has not started yet."}
    stand_in.answers["GET /v1/action-approvals/apr_1/result"] = result
    ended = cli("approval", "approve", "apr_1")
    assert ended.code == 0
    assert "it has not started yet. See what becomes of it: aileron approval show apr_1" in ended.err


FIRST = "apr_0197f3a0-0000-7000-8000-00000000abcd"
SECOND = "apr_0197f3a0-0000-7000-8000-00000000bbcd"


@pytest.mark.parametrize(
    "part", [FIRST, FIRST.removeprefix("apr_"), "abcd", "0abcd", "000a", "apr_0197f3a0-0000-7000-8000-00000000a"]
)
def test_any_part_of_an_id_that_means_one_approval_names_it(cli: Any, stand_in: Any, part: str) -> None:
    stand_in.answers["GET /v1/approvals"] = {"items": [{"id": FIRST}, {"id": SECOND}], "next": None}
    stand_in.answers[f"POST /v1/approvals/{FIRST}/deny"] = {**PENDING, "id": FIRST, "state": "denied"}
    assert cli("approval", "deny", part).out == f"Denied: ship-update ({FIRST}).\n"


def test_a_part_of_an_id_that_means_two_approvals_or_none_decides_nothing(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/approvals"] = {"items": [{"id": FIRST}, {"id": SECOND}], "next": None}
    ended = cli("approval", "approve", "bcd", "--yes")
    assert ended.code == ExitCode.USAGE
    assert FIRST in ended.err
    assert SECOND in ended.err
    assert "there is no approval with 'cafe' in its id" in cli("approval", "deny", "cafe").err
    assert "there is no approval with 'apr_' in its id" in cli("approval", "deny", "apr_").err
    assert [request.method for request in stand_in.requests if request.method == "POST"] == []


def sse(*events: dict[str, Any]) -> bytes:
    """Return a stream of approval events as the daemon writes them."""
    lines = [b": listening\n\n"]
    lines += [f"event: approval\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return b"".join(lines)


def test_events_are_read_across_any_split_of_the_stream() -> None:
    stream = sse({"id": "1", "text": "a\u2028b"}, {"id": "2"}) + b'data: {"id":\ndata: 3}\n\n'
    for size in (1, 2, 3, 7, 1000):
        chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
        opened: list[bool] = []
        with (
            StandInServer(lambda _, chunks=chunks: httpx.Response(200, content=iter(chunks))) as server,
            ControlClient(url=server.url, token="t") as client,
        ):
            events = list(client.events("/v1/approvals/events", on_open=lambda opened=opened: opened.append(True)))
        assert [event.data["id"] for event in events] == ["1", "2", 3]
        assert [event.name for event in events] == ["approval", "approval", "message"]
        assert events[0].data["text"] == "a\u2028b"
        assert opened == [True]


class WatchedDaemon:
    """Answers a watcher: what is pending, then events as the test puts them in, then nothing more."""

    def __init__(self) -> None:
        self.pending: list[dict[str, Any]] = []
        self.gone = False
        self.decided: list[str] = []
        self.bodies: list[Any] = []
        self.shown: dict[str, Any] = {}
        self.events = threading.Condition()
        self.waiting: list[dict[str, Any]] = []
        self.server = StandInServer(self.handle)

    def put(self, event: dict[str, Any]) -> None:
        with self.events:
            self.waiting.append(event)
            self.events.notify_all()

    def end(self) -> None:
        with self.events:
            self.gone = True
            self.events.notify_all()
        self.server.close()

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.gone:
            raise Broken
        if path == "/v1/approvals/events":
            return httpx.Response(200, content=self.stream())
        if request.method == "GET" and path.count("/") == 3:
            return httpx.Response(200, json={**PENDING, **self.shown, "id": path.split("/")[3]})
        if path == "/v1/approvals":
            return httpx.Response(200, json={"items": self.pending, "next": None})
        if request.method == "POST":
            self.bodies.append(json.loads(request.content or b"{}"))
            self.decided.append(path)
            return httpx.Response(200, json={**PENDING, "id": path.split("/")[3], "state": "approved"})
        return httpx.Response(404, json={"error": {"class": "not_found", "message": "no"}})

    def stream(self) -> Iterator[bytes]:
        yield b": listening\n\n"
        while True:
            with self.events:
                self.events.wait_for(lambda: self.waiting or self.gone, timeout=20)
                if self.gone:
                    return
                batch, self.waiting = self.waiting, []
            for event in batch:
                yield f"event: approval\ndata: {json.dumps(event)}\n\n".encode()


class Ended(Exception):
    """Ends a watch from outside, as Ctrl-C does."""


def watch_in_thread(daemon: WatchedDaemon, stdin: Any, *, terminal: bool) -> tuple[threading.Thread, io.StringIO, list]:
    """Watch on the given terminal; return the thread, what was written, and how it ended."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    screen = Stream()
    output = Output(out=screen, err=screen, environ={"TERM": "dumb"})
    invocation = Invocation(
        output=output,
        prompts=Prompts(stdin=stdin, output=output, environ={}),
        connection=DaemonConnection(),
        environ={},
        now=lambda: datetime(2026, 11, 20, 22, tzinfo=UTC),
    )
    ends: list[Any] = []

    def run() -> None:
        try:
            with ControlClient(url=daemon.server.url, token="t") as client:
                ApprovalWatch(invocation=invocation, client=client).run()
            ends.append("quit")
        except CliFailure as failure:
            ends.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, screen, ends


def until(condition: Callable[[], bool], what: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


@pytest.fixture
def terminal() -> Iterator[tuple[int, Any]]:
    """Return the keyboard's end of a terminal, and the program's."""
    keyboard, program = os.openpty()
    with os.fdopen(program) as stdin:
        yield keyboard, stdin
    os.close(keyboard)


ASKED = "Type approve, deny"


def test_watch_shows_each_request_and_decides_it_by_a_word(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: screen.getvalue().count(ASKED) == 1, screen.getvalue)
    assert '"text": "\\u001b[2J\\u202eevil"' in screen.getvalue()
    assert "Step 2 of 2: post" in screen.getvalue()
    os.write(keyboard, b"approve\n")
    until(lambda: daemon.decided == ["/v1/approvals/apr_1/approve"])
    daemon.put({**PENDING, "state": "completed"})
    until(lambda: "ship-update has run." in screen.getvalue(), screen.getvalue)
    daemon.put({**PENDING, "id": "apr_2"})
    until(lambda: screen.getvalue().count(ASKED) == 2, screen.getvalue)
    os.write(keyboard, b"deny wrong channel\n")
    until(lambda: daemon.decided[-1] == "/v1/approvals/apr_2/deny")
    assert daemon.bodies == [{}, {"reason": "wrong channel"}]
    os.write(keyboard, b"q\n")
    thread.join(10)
    assert ends == ["quit"]
    daemon.end()


def test_no_key_that_is_pressed_while_a_request_is_shown_decides_it(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: ASKED in screen.getvalue(), screen.getvalue)
    lines = (
        b"",
        b"a",
        b"d",
        b"y",
        b"yes",
        b" ",
        b"\t",
        b"what a day",
        b"approved",
        b"approve it",
        b"I approve",
        b"a d",
    )
    for count, line in enumerate(lines, start=1):
        os.write(keyboard, line + b"\n")
        until(lambda count=count: screen.getvalue().count("Nothing was decided.") == count, screen.getvalue)
    os.write(keyboard, b"quit\n")
    thread.join(10)
    assert (daemon.decided, ends) == ([], ["quit"])
    daemon.end()


def test_what_was_typed_before_a_request_is_shown_does_not_decide_it(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: "Watching" in screen.getvalue())
    os.write(keyboard, b"appr")
    daemon.put(PENDING)
    until(lambda: ASKED in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"ove\n")
    until(lambda: "Nothing was decided." in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"s\n")
    until(lambda: "Skipped" in screen.getvalue())
    os.write(keyboard, b"approve\nquit\n")
    thread.join(10)
    assert (daemon.decided, ends) == ([], ["quit"])
    daemon.end()


def test_watch_does_not_approve_what_cannot_be_shown_whole(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    daemon.shown = VOID
    thread, screen, _ = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: ASKED in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"approve\n")
    until(lambda: "It was not approved" in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"quit\n")
    thread.join(10)
    assert daemon.decided == []
    daemon.end()


def test_a_request_that_is_decided_elsewhere_is_taken_off_the_screen(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, _ = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: ASKED in screen.getvalue(), screen.getvalue)
    daemon.put({**PENDING, "state": "denied"})
    until(lambda: "apr_1 is denied now." in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"approve\nquit\n")
    thread.join(10)
    assert daemon.decided == []
    daemon.end()


def test_watch_ends_with_the_end_of_the_terminal(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: "Watching" in screen.getvalue())
    os.write(keyboard, b"\x04")
    thread.join(10)
    assert ends == ["quit"]
    daemon.end()


def test_without_a_terminal_watch_writes_a_line_for_each_change_and_ends_with_the_daemon() -> None:
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, ends = watch_in_thread(daemon, io.StringIO(), terminal=False)
    until(lambda: screen.getvalue() != "")
    daemon.put({**PENDING, "state": "denied"})
    until(lambda: screen.getvalue().count("\n") == 2, screen.getvalue)
    daemon.end()
    thread.join(10)
    assert screen.getvalue().splitlines() == [
        "2026-11-20T21:55:00.000Z  apr_1  pending  ship-update  ses_1",
        "2026-11-20T21:55:00.000Z  apr_1  denied  ship-update  ses_1",
    ]
    assert ends[0].exit_code == ExitCode.UNREACHABLE


def test_open_alone_leads_to_the_list_of_what_waits(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/browser-logins"] = {"url": "http://127.0.0.1:1/login?code=abc"}
    ended = cli("open")
    assert (ended.code, ended.out) == (0, "http://127.0.0.1:1/login?code=abc\n")
    assert stand_in.bodies("POST /v1/browser-logins") == [{"next": "/"}]
    assert cli("open", "nonsense").code == ExitCode.USAGE
