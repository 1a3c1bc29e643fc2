"""`aileron launch` on this machine, with the real daemon and a stand-in where the agent is not the point."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.upstream import UpstreamProcess
from waiting import wait_until
from world import PASSPHRASE, ROOT, World

RUN = "from daemon.cli.main import main; main()"
INQUIRER = Path(__file__).parents[1] / "servers" / "inquirer.py"
RULES = "".join(f'[approvals.rules.{name}__ask]\ndecision = "ask"\n' for name in ("asking", "off"))
STAND_IN = Path(__file__).parent / "stand_in_agent.py"


class Bench:
    """A home, a folder on the PATH with agents in it, and what they say."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world = world
        self.says = folder / "says.json"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.user = folder / "user"
        self.user.mkdir()
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
        self.env = kept | {
            "HOME": str(self.user),
            "AILERON_HOME": str(world.home),
            "AILERON_VAULT_PASSPHRASE": PASSPHRASE,
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "STAND_IN_SAYS": str(self.says),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "NO_COLOR": "1",
        }
        self.agent("codex")

    def agent(self, name: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
        path.chmod(0o755)

    def start(self, *arguments: str, program: str = RUN, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", program, "launch", *arguments],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # whoever interrupts the tests does not interrupt this
        )

    def run(self, *arguments: str, **env: str) -> "tuple[int, str]":
        process = self.start(*arguments, **env)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    def said(self) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while not self.says.exists():
            assert time.monotonic() < deadline, "the agent was not started"
            time.sleep(0.02)
        found: dict[str, Any] = json.loads(self.says.read_text())
        return found

    def session(self, said: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.world.ok("GET", f"/v1/sessions/{said['env']['AILERON_SESSION_ID']}")
        return found

    def wait_ended(self, said: dict[str, Any]) -> str:
        deadline = time.monotonic() + 15
        while (session := self.session(said))["ended_at"] is None:
            assert time.monotonic() < deadline, "the session goes on"
            time.sleep(0.05)
        return str(session["end_reason"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with UpstreamProcess() as upstream, World(tmp_path, upstream=upstream.url, settings=RULES) as world:
        upstream.behave("/item", json={"ok": True})
        world.start()
        world.set_up()
        world.add_action("post-item")
        world.add_action("ask-first", approval=True)
        yield Bench(tmp_path, world)


@pytest.mark.parametrize(("ends", "code"), [("0", 0), ("7", 7), ("kill", 128 + 9)])
def test_a_launch_ends_with_the_agents_exit_code_and_its_session_with_it(bench: Bench, ends: str, code: int) -> None:
    got, err = bench.run("codex", "--", "exec", "do it", STAND_IN_ENDS=ends)
    said = bench.said()
    assert got == code
    assert said["argv"][-2:] == ["exec", "do it"]
    assert bench.session(said)["end_reason"] == "the agent ended"
    assert f"Session {said['env']['AILERON_SESSION_ID'][-8:]} ended" in err
    assert "0 actions run" in err
    assert list(bench.runtime.iterdir()) == []


def test_the_agent_sees_its_session_and_nothing_of_the_daemon(bench: Bench) -> None:
    bench.run("codex")
    said = bench.said()
    ours = {name: value for name, value in said["env"].items() if name.startswith("AILERON")}
    assert set(ours) == {"AILERON_URL", "AILERON_TOKEN", "AILERON_SESSION_ID"}
    everything = json.dumps(said)
    assert bench.world.discovery["token"] not in everything
    assert bench.world.control_url not in everything
    assert PASSPHRASE not in everything
    assert ours["AILERON_TOKEN"] not in json.dumps(said["argv"])
    assert said["ignored"] == []


def test_a_server_of_the_session_is_told_the_folder_that_the_agent_was_launched_in(
    bench: Bench, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    chatty = [sys.executable, str(ROOT / "tests/servers/chatty_server.py")]
    bench.world.ok("POST", "/v1/servers", {"name": "own", "command": chatty, "scope": "session"})
    bench.world.ok("POST", "/v1/servers/own/test")
    here = os.path.relpath(work)
    process = bench.start("-C", here, "codex", STAND_IN_ENDS="wait")
    said = bench.said()
    assert said["cwd"] == str(work)
    called = bench.world.agent("POST", "/v1/tools/own__folders/call", {}, token=said["env"]["AILERON_TOKEN"])
    roots = json.loads(called.json()["content"][0]["text"])["roots"]
    assert roots == [{"uri": work.as_uri(), "name": "work"}]
    process.terminate()
    process.communicate(timeout=30)


def test_the_token_runs_actions_while_the_agent_runs_and_opens_nothing_afterwards(bench: Bench) -> None:
    process = bench.start("--json", "codex", STAND_IN_ENDS="wait")
    said = bench.said()
    token = said["env"]["AILERON_TOKEN"]
    arguments = {"arguments": {"url": f"{bench.world.upstream}/item", "body": "{}"}}
    assert bench.world.agent("POST", "/v1/actions/post-item/run", arguments, token=token).status_code == 200
    waiting = bench.world.agent("POST", "/v1/actions/ask-first/run", arguments, token=token).json()["approval_id"]
    os.kill(said["pid"], signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    summary = json.loads(err.strip().splitlines()[-1])
    assert (summary["ran"], summary["approvals"], summary["agent"]) == (1, 1, "codex")
    assert (summary["sandbox"], summary["exit_code"]) == (False, 128 + signal.SIGTERM)
    assert summary["audit_head"]["seq"] > 0
    assert bench.world.agent("GET", "/v1/actions", token=token).status_code == 401
    assert bench.world.ok("GET", f"/v1/approvals/{waiting}")["state"] == "void"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_launcher_reaches_the_agent(bench: Bench, number: signal.Signals) -> None:
    process = bench.start("codex", STAND_IN_ENDS="wait")
    said = bench.said()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert bench.wait_ended(said) == "the agent ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_an_interrupt_of_the_launcher_alone_reaches_the_agent_ends_the_session_and_is_said(
    bench: Bench, number: signal.Signals
) -> None:
    process = bench.start("codex", STAND_IN_ENDS="wait")
    said = bench.said()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert bench.wait_ended(said) == f"the launch was interrupted ({number.name})"
    assert f"Interrupted: {number.name} was passed on to codex.\n" in err
    assert said["blocked"] == []


def test_an_interrupt_of_the_launcher_alone_is_passed_on_too_where_the_system_does_not_say_who_sent_it(
    bench: Bench,
) -> None:
    # A group of its own, in the background of any terminal: Ctrl-C would not reach it.
    without = "import signal; del signal.sigwaitinfo; " + RUN
    process = bench.start("codex", program=without, STAND_IN_ENDS="wait")
    said = bench.said()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert bench.wait_ended(said) == "the launch was interrupted (SIGINT)"


def test_an_agent_that_goes_on_after_an_interrupt_is_ended_a_little_later(bench: Bench) -> None:
    quick = (
        "import daemon.cli.launch.interrupts as i; i.Interrupts.__init__.__kwdefaults__['grace_seconds'] = 0.5; " + RUN
    )
    process = bench.start("codex", program=quick, STAND_IN_ENDS="go on")
    said = bench.said()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "codex went on, so it was ended with SIGTERM." in err
    assert bench.wait_ended(said) == "the launch was interrupted (SIGINT)"


def test_an_interrupt_that_the_agent_sends_to_its_whole_group_is_not_sent_back_to_it(bench: Bench) -> None:
    code, err = bench.run("codex", STAND_IN_ENDS="interrupt")
    assert code == 1, "the agent hears its own signal, and no second one"
    assert "Interrupted" not in err
    assert bench.wait_ended(bench.said()) == "the agent ended"


def test_a_launcher_that_is_killed_takes_the_session_and_the_agent_with_it(bench: Bench) -> None:
    process = bench.start("codex", STAND_IN_ENDS="wait")
    said = bench.said()
    process.kill()
    process.communicate(timeout=30)
    assert bench.wait_ended(said) == "its process ended"
    deadline = time.monotonic() + 15
    while Path(f"/proc/{said['pid']}").exists() and sys.platform == "linux":
        assert time.monotonic() < deadline, "the agent outlived its launcher"
        time.sleep(0.05)
    left = list(bench.runtime.iterdir())
    bench.says.unlink()
    bench.run("codex")
    assert all(not folder.exists() for folder in left)


def test_two_launches_at_once_have_nothing_in_common(bench: Bench) -> None:
    other = bench.says.with_name("other.json")
    processes = [
        bench.start("codex", STAND_IN_ENDS="wait"),
        bench.start("codex", STAND_IN_ENDS="wait", STAND_IN_SAYS=str(other)),
    ]
    first = bench.said()
    deadline = time.monotonic() + 30
    while not other.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = json.loads(other.read_text())
    try:
        assert first["env"]["AILERON_TOKEN"] != second["env"]["AILERON_TOKEN"]
        arguments = {"arguments": {"url": f"{bench.world.upstream}/item", "body": "{}"}}
        asked: httpx.Response = bench.world.agent(
            "POST", "/v1/actions/ask-first/run", arguments, token=first["env"]["AILERON_TOKEN"]
        )
        path = f"/v1/action-approvals/{asked.json()['approval_id']}/result"
        assert bench.world.agent("GET", path, token=first["env"]["AILERON_TOKEN"]).status_code == 200
        assert bench.world.agent("GET", path, token=second["env"]["AILERON_TOKEN"]).status_code == 404
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("codx",), {}, "Did you mean codex?"),
        (("claude",), {}, "npm install -g @anthropic-ai/claude-code"),
        (("codex",), {"STAND_IN_VERSION": "codex-cli 0.12.1"}, "0.12.1 is too old"),
        (("codex",), {"STAND_IN_VERSION": "hello"}, "does not say which version"),
        (("codex", "-C", "/no/such/folder"), {}, "is not a folder"),
        (("codex", "--sandbox"), {}, "aileron launch --sandbox codex"),
        (("codex", "exec", "--network=open"), {}, "aileron launch --network=open codex -- exec"),
    ],
)
def test_what_keeps_an_agent_from_starting_is_said_with_what_to_do(
    bench: Bench, arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    before = len(bench.world.ok("GET", "/v1/sessions")["items"])
    words = list(arguments)
    if "-C" in words:
        words = [*words[1:], words[0]]
    code, err = bench.run(*words, **env)
    assert code in {1, 2}
    assert said in err
    assert "Traceback" not in err
    assert not bench.says.exists()
    assert len(bench.world.ok("GET", "/v1/sessions")["items"]) == before


def test_what_will_not_work_is_said_before_the_agent_starts(bench: Bench) -> None:
    bench.world.ok("POST", "/v1/vault/lock", {})
    _, err = bench.run("codex")
    assert "The vault is locked" in err
    # Row H4: nobody sits here who could approve.
    assert "ask-first will wait for a person" in err


def test_tools_of_servers_that_a_rule_asks_for_are_said_to_wait_for_a_person_too(bench: Bench) -> None:
    for name in ("asking", "off"):
        command = [sys.executable, str(INQUIRER), "modern", str(bench.world.folder / "ledger")]
        bench.world.ok("POST", "/v1/servers", {"name": name, "command": command})
        bench.world.ok("POST", f"/v1/servers/{name}/test")
    bench.world.ok("POST", "/v1/servers/off/disable")
    _, err = bench.run("codex")
    assert "ask-first, asking__ask will wait for a person" in err


def test_the_persons_own_files_are_as_they_were(bench: Bench) -> None:
    bench.agent("pi")
    own = bench.user / ".pi" / "agent"
    own.mkdir(parents=True)
    (own / "mcp.json").write_text('{"mcpServers": {"mine": {"command": "x"}}}')
    (own / "auth.json").write_text("{}")
    before = {path: path.read_bytes() for path in own.iterdir()}
    code, err = bench.run("pi", "-p", "hi", STAND_IN_VERSION="1.5.2")
    assert code == 0, err
    assert {path: path.read_bytes() for path in own.iterdir()} == before


def test_an_agent_in_a_terminal_has_it_and_gives_it_back_as_it_was(bench: Bench) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-c", RUN, "launch", "codex"]
        os.execve(sys.executable, command, bench.env | {"STAND_IN_ENDS": "wait"})  # noqa: S606 - no shell is wanted
    before = termios.tcgetattr(terminal)
    said = bench.said()
    assert said["terminal"]
    os.write(terminal, b"\x03")  # Ctrl-C goes to the agent; the launcher outlives it and closes the session
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) != 0
    assert termios.tcgetattr(terminal) == before
    os.close(terminal)
    assert bench.wait_ended(said) == "the agent ended"


def test_a_launch_says_before_what_is_missing_of_actions_and_servers(bench: Bench) -> None:
    for name in ("post-item", "ask-first"):
        (bench.world.home / "actions" / f"{name}.md").unlink()
    wait_until(lambda: bench.world.ok("GET", "/v1/actions")["items"] == [])
    assert "There is no action and no server" in bench.run("codex")[1]
    bench.world.ok("POST", "/v1/servers", {"name": "notes", "command": ["/no/such/program"]})
    file = bench.world.home / "servers.yaml"
    file.write_text(file.read_text().replace("name: notes", "name: notes\n    colour: blue"))
    wait_until(lambda: bench.world.ok("GET", "/v1/servers")["problem"] is not None)
    _, err = bench.run("codex")
    assert "has no key 'colour'" in err
    assert "There is no action" not in err
