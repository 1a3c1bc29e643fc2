"""What a person does with a sandbox that runs: see it, run something in it, join its terminal, end it."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.engine import USER, Shell
from sandbox.person import Terminal
from waiting import wait_until
from world import World

pytestmark = pytest.mark.docker

LIMITS = "cat /proc/self/cgroup; grep -E 'Cap|NoNewPrivs' /proc/self/status"


@pytest.fixture
def running(world: World, shell: Shell) -> Iterator[str]:
    """Offer a sandbox whose agent writes and waits; return the end of its session's id."""
    process = shell.start(
        *shell.words("sh", "-c", "echo hello; echo wrong >&2; touch made; sleep 600", options=("--label", "the label"))
    )
    session: str = ""

    def is_there() -> bool:
        nonlocal session
        items: list[dict[str, Any]] = world.ok("GET", "/v1/sandboxes")["items"]
        session = next((each["id"] for each in items if each["ready"]), "")
        return bool(session)

    wait_until(is_there)
    yield session[-8:]
    process.terminate()
    process.communicate(timeout=30)


def events(world: World, kind: str) -> list[dict[str, Any]]:
    return [each for each in world.events() if each["type"] == kind]


def test_a_sandbox_that_runs_is_listed_by_the_id_and_label_of_its_session_seen_and_ended(
    world: World, shell: Shell, running: str
) -> None:
    listed = shell.run("sandbox", "list").stdout
    assert running in listed
    assert "the label" in listed
    wait_until(lambda: "hello" in shell.run("sandbox", "logs", running).stdout)
    seen = shell.run("sandbox", "logs", running)
    assert (seen.stdout, "wrong\n" in seen.stderr) == ("hello\n", True)
    following = shell.start("sandbox", "logs", "-f", running)
    assert following.stdout is not None
    assert following.stdout.readline() == "hello\n"
    ended = shell.run("sandbox", "stop", running)
    assert ended.returncode == 0, ended.stderr
    assert "Ended: the label" in ended.stdout
    out, err = following.communicate(timeout=30)
    assert (following.returncode, out) == (0, ""), err
    (told,) = [each for each in events(world, "sandbox.ended") if each["session"].endswith(running)]
    assert (told["actor"], told["payload"]["aileron.sandbox.reason"]) == ("person:owner", "ended by the person")
    assert shell.run("session", "diff", running, "--name-only").stdout == "made\n", "what it wrote is kept"
    gone = shell.run("sandbox", "logs", running)
    assert gone.returncode == 1
    assert "What it printed is not kept" in gone.stderr


def test_a_program_beside_the_agent_is_logged_before_it_runs_and_has_what_the_agent_has(
    world: World, shell: Shell, running: str
) -> None:
    ended = shell.run(
        "sandbox", "exec", running, "--", "sh", "-c", 'id -u; pwd; whoami; echo "$AILERON_URL"; echo no >&2; exit 7'
    )
    assert ended.returncode == 7
    assert ended.stdout.splitlines()[:3] == [str(USER), "/workspace", "agent"]
    assert ended.stdout.splitlines()[3].startswith("https://aileron.internal:")
    assert ended.stderr == "no\n"
    started, over = events(world, "sandbox.exec_started")[-1], events(world, "sandbox.exec_ended")[-1]
    assert started["actor"] == "person:owner"
    assert started["payload"]["aileron.sandbox.command"][0] == "sh"
    assert over["payload"]["process.exit.code"] == 7
    # No more rights, no other limits and no more ways out than the agent's.
    rights = shell.run("sandbox", "exec", running, "sh", "-c", LIMITS).stdout
    assert "NoNewPrivs:\t1" in rights
    assert "CapEff:\t0000000000000000" in rights
    assert shell.run("sandbox", "exec", running, "sh", "-c", "curl -m 3 http://1.1.1.1").returncode != 0
    assert shell.run("sandbox", "exec", running, "touch", "/opt/aileron/x").returncode != 0
    assert shell.run("sandbox", "exec", running, "no-such-program").returncode == 127
    carried = shell.run("sandbox", "exec", running, "wc", "-c", stdin=open_with(b"12345"))
    assert carried.stdout.strip() == "5", carried.stderr


def test_a_program_beside_the_agent_ends_when_nobody_reads_it_any_more_and_with_the_sandbox(
    world: World, shell: Shell, running: str
) -> None:
    def beside() -> list[str]:
        return shell.run("sandbox", "exec", running, "pgrep", "-f", "sleep 41[123]").stdout.split()

    deaf = shell.start("sandbox", "exec", running, "--", "sh", "-c", "trap '' HUP; sleep 411 & wait; sleep 411")
    wait_until(lambda: len(beside()) > 0)
    deaf.kill()
    deaf.communicate(timeout=30)
    wait_until(lambda: beside() == [])
    busy = shell.start("sandbox", "exec", running, "--", "sh", "-c", "sleep 413 & exec yes")
    wait_until(lambda: len(beside()) > 0)
    busy.kill()  # in the middle of what it writes, which nobody reads
    busy.communicate(timeout=30)
    wait_until(lambda: beside() == [])
    told = shell.start("sandbox", "exec", running, "sleep", "412")
    wait_until(lambda: len(beside()) > 0)
    told.send_signal(signal.SIGTERM)
    told.communicate(timeout=30)
    assert told.returncode == 128 + signal.SIGTERM
    last = shell.start("sandbox", "exec", running, "sleep", "412")
    unread = shell.start("sandbox", "exec", running, "--", "sh", "-c", "sleep 411 & exec yes")
    wait_until(lambda: len(beside()) == 2)
    assert shell.run("sandbox", "stop", running).returncode == 0, "what nobody reads holds no end up"
    unread.kill()
    unread.communicate(timeout=30)
    last.communicate(timeout=30)
    assert last.returncode == 128 + signal.SIGKILL


def test_somebody_joins_the_terminal_of_a_launch_types_to_its_agent_and_leaves_it_running(
    world: World, shell: Shell
) -> None:
    script = 'echo ready; while read line; do echo "got $line"; [ "$line" = stop ] && exit 3; done'
    launch = Terminal(shell, shell.words("sh", "-c", script))
    launch.until("ready")
    session = world.ok("GET", "/v1/sandboxes")["items"][0]["id"]
    seat = Terminal(shell, ["sandbox", "attach", session[-8:]])
    seat.until("ready")
    seat.types("from the seat\r")
    launch.until("got from the seat")
    seat.until("got from the seat")
    seat.types("\x1d")
    code, said = seat.ends()
    assert (code, "the agent goes on" in said) == (0, True)
    assert events(world, "sandbox.attached")[-1]["actor"] == "person:owner"
    again = Terminal(shell, ["sandbox", "attach", session[-8:]])
    again.until("got from the seat")
    launch.types("stop\r")
    assert launch.ends()[0] == 3
    code, said = again.ends()
    assert (code, "The sandbox has ended" in said) == (0, True)


def open_with(data: bytes) -> int:
    read, write = os.pipe()
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    return read
