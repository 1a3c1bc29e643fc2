"""A sandbox as the engine sees it, its streams, and its end in every order."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sandbox.engine import COMMAND, USER, Shell, anchor_of, engine, left_behind, spoil
from sandbox.test_hostile_agent import wait_for_container
from services.upstream import UpstreamProcess
from world import API_KEY, ROOT, World

from daemon.cli.launch.sequences import RESTORING
from daemon.sandbox.container_options import ANCHOR_UID

pytestmark = pytest.mark.docker


def test_the_container_has_nothing_that_a_checklist_of_escapes_looks_for(world: World, shell: Shell) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    seen = wait_for_container(world)
    client = engine()
    anchor = anchor_of(client, seen)
    (place,) = anchor["NetworkSettings"]["Networks"].values()
    network = client.inspect_network(place["NetworkID"])
    client.close()
    process.terminate()
    process.communicate(timeout=30)
    host, config = seen["HostConfig"], seen["Config"]
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert all("unconfined" not in option for option in host["SecurityOpt"])
    assert host["ReadonlyRootfs"] is True
    for space in ("PidMode", "UTSMode", "UsernsMode", "CgroupnsMode"):
        assert host.get(space, "") != "host", space
    assert host["IpcMode"] == "private"
    assert host["NetworkMode"] == f"container:{anchor['Id']}"
    assert not host["Devices"]
    assert not host["DeviceRequests"]
    assert not host["PortBindings"]
    assert host["PidsLimit"] == 512
    assert host["Memory"] == host["MemorySwap"] == 4 * 1024**3
    assert host["NanoCpus"] == 2_000_000_000
    assert config["User"] == f"{USER}:{USER}"
    mounts = {mount["Destination"]: mount for mount in seen["Mounts"]}
    assert set(mounts) == {"/workspace", "/run/aileron", "/etc/passwd", "/etc/group"}
    assert not any(mounts[each]["RW"] for each in ("/etc/passwd", "/etc/group"))
    assert (mounts["/run/aileron"]["Type"], mounts["/run/aileron"]["RW"]) == ("bind", False)
    assert mounts["/run/aileron"]["Source"].startswith(str(world.home / "sandboxes"))
    # The container is never given the person's folder, only a layer over it.
    assert (mounts["/workspace"]["Type"], mounts["/workspace"]["Driver"]) == ("volume", "local")
    assert str(shell.workspace) not in json.dumps(seen)
    assert network["Internal"] is True
    assert list(network["Containers"]) == [anchor["Id"]]
    holder = anchor["HostConfig"]
    assert (holder["Privileged"], holder["CapDrop"], holder["CapAdd"]) == (False, ["ALL"], None)
    assert holder["ReadonlyRootfs"] is True
    assert "no-new-privileges" in holder["SecurityOpt"]
    assert (holder["Devices"], holder["PortBindings"]) == (None, None)
    assert [(mount["Destination"], mount["RW"]) for mount in anchor["Mounts"]] == [("/run/held", False)]
    assert anchor["Config"]["User"] == f"{ANCHOR_UID}:{ANCHOR_UID}"
    assert host["PidMode"] == f"container:{anchor['Id']}"
    text = json.dumps(seen)
    assert "ailt_" not in text
    assert API_KEY not in text
    assert world.discovery["token"] not in text


def test_output_and_errors_stay_apart_and_the_exit_code_comes_through(shell: Shell) -> None:
    ended = shell.inside("sh", "-c", "echo out; echo err >&2; id -u; pwd; exit 7")
    assert ended.returncode == 7
    assert ended.stdout == f"out\n{USER}\n/workspace\n"
    assert "err\n" in ended.stderr
    assert "ended: 0 actions run" in ended.stderr


def test_the_user_of_an_agent_has_a_name_and_a_group(shell: Shell) -> None:
    ended = shell.inside("sh", "-c", "whoami; id -gn; getent passwd $(id -u); id -un root")
    assert ended.stdout == f"agent\nagent\nagent:x:{USER}:{USER}:agent:/home/agent:/bin/sh\nroot\n", ended.stderr


def test_input_goes_in_and_its_end_too(shell: Shell) -> None:
    read, write = os.pipe()
    process = shell.start(*shell.words("wc", "-c"), stdin=read)
    os.close(read)
    data = b"x" * 1_000_000
    with os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    out, err = process.communicate(timeout=60)
    assert out.strip() == str(len(data)), err


def test_large_output_comes_whole(shell: Shell) -> None:
    ended = shell.inside("sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
    assert len(ended.stdout) == 20_000_000
    assert ended.stdout.strip("x") == ""


def test_what_it_writes_belongs_to_the_owner_of_the_folder(shell: Shell) -> None:
    ended = shell.inside("sh", "-c", "echo hello > made.txt; mkdir -p deep/er")
    assert ended.returncode == 0, ended.stderr
    written = shell.written(ended)
    assert (written / "made.txt").read_text() == "hello\n"
    assert (written / "made.txt").stat().st_uid == USER
    assert sorted(path.name for path in written.iterdir()) == ["deep", "made.txt"]
    assert list(shell.workspace.iterdir()) == []


def test_an_action_runs_from_inside_over_https(shell: Shell, world: World, upstream: UpstreamProcess) -> None:
    upstream.forget()
    body = json.dumps({"arguments": {"url": f"{world.upstream}/item", "body": "{}"}})
    script = (
        'curl -sS --cacert "$AILERON_CA_FILE" -H "Authorization: Bearer $AILERON_TOKEN" '
        f"-H 'Content-Type: application/json' -d '{body}' \"$AILERON_URL/v1/actions/post-item/run\""
    )
    ended = shell.inside("sh", "-c", script)
    assert json.loads(ended.stdout)["audit_id"].startswith("aud_"), ended.stderr
    assert "1 action run" in ended.stderr
    assert len(upstream.seen("/item")) == 1


@pytest.mark.parametrize("tool", ["curl", "git", "aileron-python"])
def test_every_tool_trusts_the_daemon_by_the_one_bundle(shell: Shell, tool: str) -> None:
    scripts = {
        "curl": 'curl -sS -o /dev/null -w "%{http_code}" "$AILERON_URL/healthz"',
        "git": 'git ls-remote "$AILERON_URL/x.git" 2>&1 | grep -c -i "certificate" || true',
        "aileron-python": (
            "aileron-python -c 'import os, urllib.request; "
            'print(urllib.request.urlopen(os.environ["AILERON_URL"] + "/healthz").status)\''
        ),
    }
    ended = shell.inside("sh", "-c", scripts[tool])
    assert ended.stdout.strip() == {"curl": "200", "git": "0", "aileron-python": "200"}[tool], ended.stderr


def emptied(world: World) -> Path:
    """Return the folder of the sandboxes, once what the test before left is gone."""
    folder = world.home / "sandboxes"
    deadline = time.monotonic() + 20
    while list(folder.glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return folder


def test_without_proof_that_it_is_closed_nothing_starts(
    world: World, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    body = {
        "agent": "codex",
        "command": ["sh", "-c", "echo started > /workspace/started"],
        "workspace": str(shell.workspace),
        "environment": {},
    }
    folder = emptied(world)
    began = time.monotonic()
    # The report is forged before the first process can give its own: a finding that something is wrong.
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(world.control("POST", "/v1/sandboxes", body)))
    thread.start()
    rules = None
    while rules is None and time.monotonic() - began < 20:
        rules = next(iter(folder.glob("*/run/rules.nft")), None)
    assert rules is not None
    spoil(rules)
    thread.join(60)
    assert answers[0].status_code >= 400
    assert "could not be closed" in answers[0].json()["error"]["message"]
    assert not (shell.workspace / "started").exists()


def test_a_start_that_fails_shows_the_container_and_its_last_lines(world: World, shell: Shell) -> None:
    body = {"agent": "codex", "command": ["true"], "workspace": str(shell.workspace), "environment": {}}
    folder = emptied(world)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(world.control("POST", "/v1/sandboxes", body)))
    thread.start()
    deadline = time.monotonic() + 20
    while not (found := [path for path in folder.glob("*/run/start.json") if path.read_text().endswith("}")]):
        assert time.monotonic() < deadline
    found[0].write_text("{")
    thread.join(60)
    error = answers[0].json()["error"]
    assert "the sandbox does not start" in error["details"]["log"]
    assert error["details"]["container"].startswith("exited, exit code 121")


def test_a_first_process_that_dies_is_noticed_at_once(world: World, shell: Shell) -> None:
    body = {"agent": "codex", "command": ["true"], "workspace": str(shell.workspace), "environment": {}}
    client = engine()
    # The engine says itself when the container starts: whoever asks again and again may come too late.
    starts = client.events(filters={"event": "start", "label": "io.aileron.role=agent"}, decode=True)
    killing = threading.Thread(target=lambda: client.kill(next(iter(starts))["id"]))
    killing.start()
    began = time.monotonic()
    answer = world.control("POST", "/v1/sandboxes", body)
    killing.join(20)
    starts.close()
    client.close()
    assert answer.status_code >= 400, answer.text
    assert time.monotonic() - began < 15


def test_an_image_loads_nothing_into_the_first_process(shell: Shell) -> None:
    ended = shell.inside("sh", "-c", 'echo "[$LD_PRELOAD$LD_AUDIT$LD_LIBRARY_PATH]"')
    assert ended.stdout == "[]\n"


def test_what_runs_beside_the_agent_is_in_the_image_as_locked_and_its_event_loop_can_be_loaded(shell: Shell) -> None:
    script = (
        "import importlib.metadata, json, sys; sys.path.insert(0, '/opt/aileron/site'); import uvloop; "
        "uvloop.new_event_loop().close(); there = importlib.metadata.distributions(path=sys.path[:1]); "
        "print(json.dumps({each.name.lower().replace('_', '-'): each.version for each in there}))"
    )
    ended = shell.inside("aileron-python", "-c", script)
    lock = (ROOT / "sandbox_image" / "build" / "server.txt").read_text()
    assert json.loads(ended.stdout) == dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE)), ended.stderr


def test_time_is_bounded(shell: Shell) -> None:
    ended = shell.inside("sleep", "600", options=("--timeout", "2s"))
    assert ended.returncode == 124
    assert "its time was over" in ended.stderr


def test_memory_is_bounded(shell: Shell) -> None:
    ended = shell.inside(
        "aileron-python", "-c", "x = bytearray(2_000_000_000); print(len(x))", options=("--memory", "256MiB")
    )
    assert ended.returncode == 137
    assert "2000000000" not in ended.stdout


def test_a_signal_reaches_the_agent(shell: Shell, world: World) -> None:
    process = shell.start(
        *shell.words("sh", "-c", 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done')
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "got it\n"), err


def test_a_sandbox_that_nobody_listens_to_ends(world: World, shell: Shell) -> None:
    world.stop()
    world.start(AILERON_SANDBOX__LISTENER_SECONDS="1s")
    try:
        body = {"agent": "codex", "command": ["sleep", "600"], "workspace": str(shell.workspace), "environment": {}}
        started = world.ok("POST", "/v1/sandboxes", body)
        gone()
        deadline = time.monotonic() + 10
        while (reason := world.ok("GET", f"/v1/sessions/{started['id']}")["end_reason"]) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert reason == "nobody came to listen"
    finally:
        world.stop()
        world.start()
        world.unlock()


def test_the_summary_for_machines(shell: Shell) -> None:
    ended = shell.inside("true", options=("--json",))
    summary = json.loads(ended.stderr.splitlines()[-1])
    assert summary["sandbox"] is True
    assert summary["exit_code"] == 0
    assert summary["audit_head"]["seq"] > 0


def gone(seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while found := left_behind():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_when_the_command_line_is_killed_everything_goes(shell: Shell, world: World) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    wait_for_container(world)
    process.kill()
    process.communicate(timeout=10)
    gone()
    deadline = time.monotonic() + 10
    while world.ok("GET", "/v1/sandboxes")["items"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_when_the_container_is_killed_the_launch_says_so(shell: Shell, world: World) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    seen = wait_for_container(world)
    subprocess.run(["docker", "kill", seen["Id"]], check=True, capture_output=True)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 137, err


def test_when_the_session_ends_the_sandbox_does(shell: Shell, world: World) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    wait_for_container(world)
    (item,) = world.ok("GET", "/v1/sandboxes")["items"]
    world.ok("POST", f"/v1/sessions/{item['id']}/end")
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "its session ended" in err


def test_when_a_sandbox_ends_by_itself_what_it_had_asked_for_is_void(shell: Shell, world: World) -> None:
    body = json.dumps({"arguments": {"url": f"{world.upstream}/item", "body": "{}"}})
    ask = 'curl -sS -H "Authorization: Bearer $AILERON_TOKEN" -d "$0" $AILERON_URL/v1/actions/ask-first/run'
    ended = shell.inside("sh", "-c", ask, body)
    approval = json.loads(ended.stdout)["approval_id"]
    deadline = time.monotonic() + 20
    while (shown := world.ok("GET", f"/v1/approvals/{approval}"))["state"] == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert shown["state"] == "void"
    assert "The session that asked has ended" in shown["outcome"]["error"]["message"]


def test_when_the_daemon_stops_its_sandboxes_do(shell: Shell, world: World) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    wait_for_container(world)
    world.stop()
    _, err = process.communicate(timeout=30)
    world.start()
    assert process.returncode != 0, err
    assert left_behind() == []


def test_when_the_daemon_is_killed_the_agent_ends_and_the_next_daemon_clears_up(shell: Shell, world: World) -> None:
    process = shell.start(*shell.words("sleep", "600"))
    seen = wait_for_container(world)
    world.kill()
    client = engine()
    deadline = time.monotonic() + 15
    while client.inspect_container(seen["Id"])["State"]["Running"]:  # nobody but the first process is left to end it
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.close()
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "the daemon" in err
    world.start()
    gone()
    assert list(shell.workspace.iterdir()) == []
    world.unlock()


def test_a_folder_of_root_is_refused_with_what_to_do(shell: Shell) -> None:
    if os.geteuid() != 0:
        return
    os.chown(shell.workspace, 0, 0)
    ended = shell.inside("true")
    assert ended.returncode != 0
    assert "chown -R 1000:1000" in ended.stderr


def test_a_folder_that_holds_the_home_of_aileron_is_no_workspace(shell: Shell, world: World) -> None:
    ended = shell.run("launch", "--sandbox", "--dir", str(world.folder), "--user", "1000", "--program", "true", "codex")
    assert ended.returncode != 0
    assert "could read it" in ended.stderr


def read(descriptor: int) -> bytes:
    """Return what a terminal shows, if it shows something soon."""
    ready, _, _ = select.select([descriptor], [], [], 0.5)
    return os.read(descriptor, 4096) if ready else b""


def test_a_terminal_is_raw_while_it_runs_and_as_it_was_afterwards(shell: Shell, world: World, tmp_path: Path) -> None:
    import pty
    import termios

    del tmp_path
    script = "printf '\\033(0\\033[?2l\\033[5i'; stty size; printf 'read: '; read line; echo \"got $line\"; " + "".join(
        f"printf '\\033]{rest}\\007'; " for rest in ("52;c;aGVsbG8=", "0;title")
    )
    for kill in (False, True):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (33, 101))
        before = termios.tcgetattr(theirs)
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *shell.words("sh", "-c", script)],
            cwd=shell.workspace,
            env=shell.environment(TERM="xterm-256color"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        shown = b""
        deadline = time.monotonic() + 40
        while b"read: " not in shown:
            assert time.monotonic() < deadline, shown
            shown += read(ours)
        assert b"33 101" in shown
        assert b"\x1b(0" in shown
        assert RESTORING not in shown
        assert termios.tcgetattr(theirs)[3] & termios.ICANON == 0
        if kill:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
            deadline = time.monotonic() + 10
            while termios.tcgetattr(theirs)[3] != before[3] or RESTORING not in shown:
                assert time.monotonic() < deadline
                shown += read(ours)
            gone()
        else:
            os.write(ours, b"hello\r")
            while b"ended: 0 actions" not in shown:
                assert time.monotonic() < deadline, shown
                shown += read(ours)
            assert process.wait(20) == 0
            assert b"got hello" in shown
            assert b"\x1b]52" not in shown
            assert b"\x1b]0;" not in shown
            assert RESTORING in shown
            assert termios.tcgetattr(theirs)[3] == before[3]
        assert b"\x1b[?2l" not in shown
        assert b"\x1b[5i" not in shown
        os.close(ours)
        os.close(theirs)
    deadline = time.monotonic() + 10
    while world.ok("GET", "/v1/sandboxes")["items"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
