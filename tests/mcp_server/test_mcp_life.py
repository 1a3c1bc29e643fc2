"""aileron-mcp as a process: it answers first, outlives its daemon, and never its agent."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_server.pipes import COMMAND, ByHand, environment, launched
from services.upstream import UpstreamProcess
from world import World


@pytest.fixture
def fresh(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[World]:
    """Offer an installation whose daemon may be stopped."""
    with World(tmp_path, upstream=upstream.url) as made:
        made.start()
        made.set_up()
        made.add_action("post-item")
        yield made


def gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_it_answers_the_first_message_without_a_daemon(tmp_path: Path) -> None:
    with ByHand(environment(AILERON_HOME=str(tmp_path))) as server:
        assert server.initialize()["result"]["capabilities"]["tools"] == {"listChanged": True}
        assert server.tools() == {"check_action_status"}
        said = server.call("post_item", {})
        assert said["isError"] is True
        assert "aileron daemon start" in said["content"][0]["text"]


@pytest.mark.parametrize("there", [True, False], ids=["uvloop", "no-uvloop"])
def test_it_takes_the_quicker_loop_where_that_is_installed_and_runs_as_well_without(
    tmp_path: Path, there: bool
) -> None:
    if not there:
        (tmp_path / "uvloop.py").write_text("raise ImportError")
    home = environment(AILERON_HOME=str(tmp_path))
    with ByHand(home | {"PYTHONPATH": f"{tmp_path}:{home['PYTHONPATH']}"}) as server:
        server.initialize()
        assert ("/uvloop/" in Path(f"/proc/{server.process.pid}/maps").read_text()) is there
        assert "aileron daemon start" in server.call("post_item", {})["content"][0]["text"]
        assert server.end_input() == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_a_daemon_that_comes_back_is_found_again_and_the_tools_with_it(fresh: World) -> None:
    arguments = {"url": f"{fresh.upstream}/item", "body": "{}"}
    with ByHand(environment(AILERON_HOME=str(fresh.home))) as server:
        server.initialize()
        assert "post_item" in server.tools()
        fresh.stop()
        said = server.call("post_item", arguments)
        assert said["isError"] is True
        assert "Nothing was run" in said["content"][0]["text"]
        fresh.add_action("added-meanwhile")
        fresh.start()
        fresh.unlock()
        server.wait_for_notification("notifications/tools/list_changed")
        assert "added_meanwhile" in server.tools()
        assert server.call("post_item", arguments)["isError"] is False


def test_a_poll_while_the_daemon_is_away_says_that_the_approved_call_may_have_run(fresh: World) -> None:
    fresh.add_action("ask-first", approval=True)
    with ByHand(launched(fresh)) as server:
        server.initialize()
        server.tools()
        waiting = server.call("ask_first", {"url": f"{fresh.upstream}/item", "body": "{}"})
        approval = waiting["structuredContent"]["approval_id"]
        fresh.ok("POST", f"/v1/approvals/{approval}/approve", {})
        fresh.stop()
        said = server.call("check_action_status", {"approval_id": approval, "wait_seconds": 0})
        text = said["content"][0]["text"]
        assert said["isError"] is True
        assert said["structuredContent"]["error"]["retriable"] is True
        assert "may have run" in text
        assert "Nothing was run" not in text
        assert "aileron audit list --session" in text
        assert "Nothing was run" in server.call("post_item", {})["content"][0]["text"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_launched_before_a_restart_goes_on_after_it(fresh: World, how: str) -> None:
    arguments = {"url": f"{fresh.upstream}/item", "body": "{}"}
    with ByHand(launched(fresh)) as server:
        server.initialize()
        assert server.call("post_item", arguments)["isError"] is False
        getattr(fresh, how)()
        fresh.start()
        fresh.unlock()
        assert server.call("post_item", arguments)["isError"] is False


def test_a_port_that_somebody_took_is_not_waited_for(fresh: World) -> None:
    before = fresh.agent_url
    fresh.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(before.rpartition(":")[2])))
        other.listen()
        fresh.start()
        assert fresh.agent_url != before
    (fresh.home / "ports.json").write_text('{"agent": "no port", "control": 99999999}')
    fresh.stop()
    fresh.start()


def test_a_daemon_killed_in_mid_call_leaves_an_honest_answer_and_a_living_server(
    fresh: World, upstream: UpstreamProcess
) -> None:
    upstream.behave("/slow", delay=60.0)
    with ByHand(launched(fresh)) as server:
        server.initialize()
        server.tools()
        running = server.send(
            "tools/call", {"name": "post_item", "arguments": {"url": f"{fresh.upstream}/slow", "body": "{}"}}
        )
        upstream.wait_for(1, path="/slow")
        fresh.kill()
        result = server.answer(running)["result"]
        assert result["structuredContent"]["error"]["class"] == "outcome_unknown"
        assert "aileron audit list --session" in result["content"][0]["text"]
        assert server.ask("ping")["result"] == {}


def test_a_session_that_is_over_is_said_with_what_to_do(fresh: World) -> None:
    session, token = fresh.session()
    env = environment(AILERON_URL=fresh.agent_url, AILERON_TOKEN=token, AILERON_SESSION_ID=session)
    with ByHand(env) as server:
        server.initialize()
        server.tools()
        fresh.ok("POST", f"/v1/sessions/{session}/end")
        said = server.call("post_item", {})
        assert said["isError"] is True
        assert "aileron launch" in said["content"][0]["text"]
        assert server.ask("ping")["result"] == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AILERON_TOKEN": "ailt_wrong"}, "session token"),
        ({"AILERON_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"AILERON_TOKEN": ""}, "AILERON_TOKEN is not set"),
        ({"AILERON_CA_FILE": "/no/such/file.pem", "AILERON_URL": "https://127.0.0.1:9"}, "AILERON_CA_FILE"),
        ({"AILERON_URL": "gopher://127.0.0.1"}, "cannot be reached"),
    ],
)
def test_an_environment_that_does_not_fit_is_said_in_a_sentence(
    fresh: World, change: dict[str, str], said: str
) -> None:
    with ByHand(launched(fresh) | change) as server:
        server.initialize()
        server.tools()
        result = server.call("post_item", {})
        assert result["isError"] is True
        assert said in result["content"][0]["text"]
        assert server.ask("ping")["result"] == {}


def test_the_log_says_what_ended_a_session_that_no_person_ended(fresh: World) -> None:
    for end in (ByHand.end_input, lambda server: server.signal(signal.SIGTERM)):
        with ByHand(environment(AILERON_HOME=str(fresh.home))) as server:
            server.initialize()
            server.tools()
            assert end(server) == 0
    said = [
        (each["actor"], each["payload"]["aileron.session.end_reason"]) for each in fresh.events(type="session.ended")
    ]
    assert said == [
        ("daemon", "its agent closed the connection"),
        ("daemon", "aileron-mcp was told to end (SIGTERM)"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_quietly_when_it_is_told_to(fresh: World, number: signal.Signals) -> None:
    with ByHand(launched(fresh)) as server:
        server.initialize()
        server.tools()
        assert server.signal(number) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_it_ends_when_the_pipe_is_closed_also_in_mid_call(fresh: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/slow", delay=60.0)
    with ByHand(launched(fresh)) as server:
        server.initialize()
        server.tools()
        server.send("tools/call", {"name": "post_item", "arguments": {"url": f"{fresh.upstream}/slow", "body": "{}"}})
        upstream.wait_for(1, path="/slow")
        assert server.end_input() == 0


def test_it_does_not_outlive_an_agent_that_is_killed_though_another_holds_the_pipe(fresh: World) -> None:
    # The agent gives the write end to another child of its own, so no end of input comes when it dies.
    agent = (
        "import json, subprocess, sys\n"
        f"server = subprocess.Popen({[*COMMAND]!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "holder = subprocess.Popen(['sleep', '300'], stdout=server.stdin, pass_fds=[server.stdin.fileno()])\n"
        "server.stdin.write(json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'ping'}) + '\\n'); server.stdin.flush()\n"
        "server.stdout.readline()\n"
        "print(server.pid, holder.pid, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", agent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=launched(fresh), text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    server, holder = map(int, process.stdout.readline().split())
    process.kill()
    process.wait(10)
    try:
        assert gone(server)
    finally:
        os.kill(holder, signal.SIGKILL)
        process.stdin.close()
        process.stdout.close()


def test_the_session_of_a_process_ends_with_it_also_while_no_daemon_looks(fresh: World) -> None:
    holder = subprocess.Popen(["sleep", "300"])
    opened = fresh.ok("POST", "/v1/sessions", {"kind": "host", "owner_pid": holder.pid})
    other = fresh.ok("POST", "/v1/sessions", {"kind": "host", "owner_pid": os.getpid()})
    fresh.kill()
    holder.kill()
    holder.wait(10)
    fresh.start()
    deadline = time.monotonic() + 15
    while (ended := fresh.ok("GET", f"/v1/sessions/{opened['id']}"))["ended_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ended["end_reason"] == "its process ended"
    assert fresh.ok("GET", f"/v1/sessions/{other['id']}")["ended_at"] is None


def test_a_session_of_a_process_that_is_not_there_is_refused(fresh: World) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(10)
    answer = fresh.control("POST", "/v1/sessions", {"kind": "host", "owner_pid": ended.pid})
    assert answer.status_code == 400
    assert "no process" in answer.text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_lists_calls_and_follows_an_approval(
    world: World, item: dict[str, Any], mode: Any
) -> None:
    parameters = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:]], env=launched(world))
    async with Client(stdio_client(parameters), mode=mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"post_item", "ask_first", "check_action_status"} <= names
        done = await client.call_tool("post_item", item)
        assert done.is_error is False
        assert done.structured_content is not None
        assert done.structured_content["result"]["status"] == 200
        waiting = await client.call_tool("ask_first", item)
        assert waiting.structured_content is not None
        approval = waiting.structured_content["approval_id"]
        asking = asyncio.ensure_future(
            client.call_tool("check_action_status", {"approval_id": approval, "wait_seconds": 30})
        )
        await asyncio.to_thread(world.ok, "POST", f"/v1/approvals/{approval}/approve", {})  # noqa: TID251 - a test's own wait
        finished = await asking
        assert finished.structured_content is not None
        assert finished.structured_content["status"] == "completed"


def test_it_says_its_version_and_its_use_and_refuses_what_it_does_not_know() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment())

    assert run("--version").stdout == "aileron-mcp 0.1.0\n"
    assert "AILERON_URL" in run("--help").stdout
    assert run("--port").returncode == 2
