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
from daemon.cli.connection import Connection
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

PENDING: dict[str, Any] = {
    "id": "apr_1",
    "state": "pending",
    "action": "ship-update",
    "action_version": "1.0.0",
    "session": "ses_1",
    "actor": "agent",
    "arguments": {"channel": "#general", "text": "\x1b[2J\u202eevil"},
    "connectors": ["sha256:1"],
    "digest": "sha256:d",
    "created_at": "2026-11-20T21:55:00.000Z",
    "expires_at": "2026-11-21T21:55:00.000Z",
    "decided_at": None,
    "decided_by": None,
    "decision_reason": None,
    "outcome": None,
    "review_url": "http://127.0.0.1:1/approvals/apr_1",
}


def answers(stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/approvals": {"items": [PENDING], "next": None},
        "GET /v1/approvals/apr_1": PENDING,
        "GET /v1/connectors/show": {"name": "github://acme/slack", "version": "1.2.0"},
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
    assert "apr_1  pending  ship-update  ses_1    5m ago  23h 55m" in cli("approval", "list").out
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
        "github://acme/slack@1.2.0 (sha256:1)",
        '"text": "\\u001b[2J\\u202eevil"',
        "To  a@b\\u001b[31m",
        "  | one\n  | two\\r\n",
    ):
        assert part in ended.out
    assert "aileron approval approve apr_1" in ended.err
    assert not {"\x1b", "\u202e", "\r"} & set(ended.out)


def test_a_preview_that_fails_does_not_hide_the_request(cli: Any, stand_in: Any) -> None:
    answers(stand_in)
    del stand_in.answers["GET /v1/approvals/apr_1/preview"]
    del stand_in.answers["GET /v1/connectors/show"]
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
        "decided_by": "user",
        "decision_reason": "fine",
        "outcome": {"result": {"ok": True}},
    }
    ended = cli("approval", "show", "apr_1")
    assert "by user, 2m ago: fine" in ended.out
    assert '"ok": true' in ended.out
    assert ended.err == ""


def test_a_decision_takes_a_reason(cli: Any, stand_in: Any) -> None:
    stand_in.answers["POST /v1/approvals/apr_1/approve"] = {**PENDING, "state": "approved"}
    stand_in.answers["POST /v1/approvals/apr_1/deny"] = {**PENDING, "state": "denied"}
    assert cli("approval", "approve", "apr_1").out == "Approved: ship-update (apr_1).\n"
    assert cli("approval", "deny", "apr_1", "--reason", "no").out == "Denied: ship-update (apr_1).\n"
    stand_in.answers["POST /v1/approvals/apr_2/deny"] = {**PENDING, "id": "apr_2", "state": "denied", "withdrawn": True}
    assert cli("approval", "deny", "apr_2").out == "Withdrawn: ship-update (apr_2).\n"
    assert stand_in.bodies("POST /v1/approvals/apr_1/approve") == [{}]
    assert stand_in.bodies("POST /v1/approvals/apr_1/deny") == [{"reason": "no"}]


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
        if path == "/v1/approvals":
            return httpx.Response(200, json={"items": self.pending, "next": None})
        if request.method == "POST":
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
        connection=Connection(),
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


def test_watch_shows_each_request_and_decides_it_with_a_key(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: screen.getvalue().count("[a] approve") == 1, screen.getvalue)
    assert '"text": "\\u001b[2J\\u202eevil"' in screen.getvalue()
    os.write(keyboard, b"xa")
    until(lambda: daemon.decided == ["/v1/approvals/apr_1/approve"])
    daemon.put({**PENDING, "state": "completed"})
    until(lambda: "ship-update has run." in screen.getvalue(), screen.getvalue)
    daemon.put({**PENDING, "id": "apr_2"})
    until(lambda: screen.getvalue().count("[a] approve") == 2, screen.getvalue)
    os.write(keyboard, b"d")
    until(lambda: daemon.decided[-1] == "/v1/approvals/apr_2/deny")
    os.write(keyboard, b"q")
    thread.join(10)
    assert ends == ["quit"]
    daemon.end()


def test_a_key_pressed_before_a_request_is_shown_does_not_decide_it(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    thread, screen, ends = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: "Watching" in screen.getvalue())
    daemon.put(PENDING)
    os.write(keyboard, b"aaaa")
    until(lambda: "[a] approve" in screen.getvalue(), screen.getvalue)
    time.sleep(0.5)
    assert daemon.decided == []
    os.write(keyboard, b"s")
    until(lambda: "Skipped" in screen.getvalue())
    os.write(keyboard, b"aq")
    thread.join(10)
    assert (daemon.decided, ends) == ([], ["quit"])
    daemon.end()


def test_a_request_that_is_decided_elsewhere_is_taken_off_the_screen(terminal: tuple[int, Any]) -> None:
    keyboard, stdin = terminal
    daemon = WatchedDaemon()
    daemon.pending = [PENDING]
    thread, screen, _ = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: "[a] approve" in screen.getvalue(), screen.getvalue)
    daemon.put({**PENDING, "state": "denied"})
    until(lambda: "apr_1 is denied now." in screen.getvalue(), screen.getvalue)
    os.write(keyboard, b"aq")
    thread.join(10)
    assert daemon.decided == []
    daemon.end()


def test_the_terminal_is_put_back_as_it_was(terminal: tuple[int, Any]) -> None:
    import termios

    keyboard, stdin = terminal
    before = termios.tcgetattr(stdin.fileno())
    daemon = WatchedDaemon()
    thread, screen, _ = watch_in_thread(daemon, stdin, terminal=True)
    until(lambda: "Watching" in screen.getvalue())
    until(lambda: termios.tcgetattr(stdin.fileno()) != before)
    os.write(keyboard, b"q")
    thread.join(10)
    assert termios.tcgetattr(stdin.fileno()) == before
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
