"""The streams of events: every listener is told once, none holds up another, and none outlives its session."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from services.upstream import UpstreamProcess
from world import World

from daemon.api.news import News


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        UpstreamProcess() as upstream,
        World(tmp_path_factory.mktemp("streams"), upstream=upstream.url) as made,
    ):
        made.start()
        made.set_up()
        made.add_action("post-item")
        yield made


class Listener:
    """Reads one stream in a thread of its own."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.events: list[str] = []
        self.ended = threading.Event()
        self.told = threading.Event()
        next(self._lines)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._lines:
                if line.startswith("event: "):
                    self.events.append(line.removeprefix("event: "))
                    self.told.set()
        except httpx.HTTPError:
            return
        self.ended.set()


@contextmanager
def listening(world: World, token: str) -> Iterator[Listener]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{world.agent_url}/v1/events", headers=headers, timeout=60, trust_env=False) as answer:
        yield Listener(answer)


def never_reading(world: World, token: str) -> socket.socket:
    host, port = world.agent_url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"GET /v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def test_a_hundred_files_at_once_are_one_event_for_every_agent_also_beside_one_that_never_reads(world: World) -> None:
    with ExitStack() as stack:
        stack.enter_context(closing(never_reading(world, world.session()[1])))
        heard = [stack.enter_context(listening(world, world.session()[1])) for _ in range(5)]
        text = (world.home / "actions" / "post-item.md").read_text()
        for number in range(100):
            (world.home / "actions" / f"item-{number}.md").write_text(text.replace("post-item", f"item-{number}"))
        assert all(each.told.wait(20) for each in heard)
        # Whoever listens is told what happens next after what happened before, so a second change marks the end.
        assert len(world.agent("GET", "/v1/tools", token=world.session()[1]).json()["items"]) == 101
        for number in range(100):
            (world.home / "actions" / f"item-{number}.md").unlink()
        for each in heard:
            while each.events.count("tools_changed") < 2:
                each.told.clear()
                assert each.told.wait(20)
            assert each.events.count("tools_changed") == 2


def test_a_stream_ends_with_its_session_at_once(world: World) -> None:
    session, token = world.session()
    with listening(world, token) as heard:
        world.ok("POST", f"/v1/sessions/{session}/end")
        assert heard.ended.wait(10)  # the next sign of life would come after fifteen seconds


def test_a_connector_that_is_taken_away_is_told_because_its_actions_are_not_what_they_were(
    world: World, tmp_path: Path
) -> None:
    world.install("hostile")
    with listening(world, world.session()[1]) as heard:
        assert world.control("DELETE", f"/v1/connectors?ref={world.hashes['hostile']}").is_success
        assert heard.told.wait(20)
        assert "tools_changed" in heard.events


def test_an_agent_hears_of_its_own_approvals_only(world: World) -> None:
    world.add_action("ask-first", approval=True)
    body = {"arguments": {"url": f"{world.upstream}/item", "body": "{}"}}
    tokens = [world.session()[1] for _ in range(2)]
    with listening(world, tokens[0]) as mine, listening(world, tokens[1]) as other:
        waiting = world.agent("POST", "/v1/actions/ask-first/run", body, token=tokens[0])
        assert waiting.status_code == 202, waiting.text
        world.ok("POST", f"/v1/approvals/{waiting.json()['approval_id']}/deny", {})
        while "approval" not in mine.events:
            mine.told.clear()
            assert mine.told.wait(20)
        assert "approval" not in other.events


def test_what_a_listener_that_never_reads_costs_is_bounded() -> None:
    news = News()
    for number in range(30_000):
        news.approval_moved(f"apr_{number}", "ses_1", "pending")
    news.approval_moved("apr_29999", "ses_1", "approved")
    held = news.take_moved()
    assert len(held) == 10_000
    assert held[-1] == ("apr_29999", "approved")  # the newest state of the newest ones
    assert news.take_moved() == ()


def test_a_person_hears_each_approval_in_its_newest_state_with_its_arguments(world: World) -> None:
    world.add_action("ask-first", approval=True)
    body = {"arguments": {"url": f"{world.upstream}/item", "body": "{}"}}
    headers = {"Authorization": f"Bearer {world.discovery['token']}"}
    url = f"{world.control_url}/v1/approvals/events"
    with httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        waiting = world.agent("POST", "/v1/actions/ask-first/run", body, token=world.session()[1]).json()
        shown = next(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
    assert (shown["id"], shown["state"], shown["arguments"]) == (waiting["approval_id"], "pending", body["arguments"])
