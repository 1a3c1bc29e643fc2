"""What the doctor says is what the thing itself would say, in good health and in bad."""

import io
import json
import os
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.connection import DaemonConnection
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output
from tests.services.upstream import UpstreamProcess
from tests.world import PASSPHRASE, WELLBEHAVED, World

Say = Callable[..., tuple[int, Any, str]]
ENGINE = {
    "/_ping": "OK",
    "/version": {"ApiVersion": "1.43", "MinAPIVersion": "1.24", "Version": "24.0.7", "Components": []},
    "/info": {"ServerVersion": "24.0.7", "OperatingSystem": "Test OS", "Architecture": "x86_64"},
}


NEED_AN_ENGINE = (
    ("sandbox", "list"),
    ("sandbox", "build", "codex"),
    ("sandbox", "prune"),
    ("sandbox", "prune", "--all"),
    ("sandbox", "check", "debian:bookworm-slim"),
    ("launch", "--sandbox", "codex"),
    ("launch", "--sandbox", "--image", "debian:bookworm-slim", "codex"),
)


@contextmanager
def engine_at(path: Path, *, components: tuple[str, ...] = ()) -> Iterator[None]:
    """Answer as far as an engine is asked what it is."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                name = "/" + line.split()[1].decode().rsplit("/", 1)[1]
                said: Any = ENGINE.get(name, [])  # no images, no containers, no volumes
                if name == "/version":
                    said = {**said, "Components": [{"Name": each} for each in components]}
                body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write(head.encode() + body)

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            path.unlink()


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as made:
        yield made


@pytest.fixture
def world(upstream: UpstreamProcess, tmp_path: Path) -> Iterator[World]:
    settings = f'[sandbox]\ndocker_socket = "{tmp_path}/engine.sock"\n'
    with World(tmp_path, upstream=upstream.url, settings=settings) as made:
        yield made


@pytest.fixture
def say(world: World, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run one command against the world's home; return its code, its JSON or text, and its messages."""
    monkeypatch.setenv("AILERON_HOME", str(world.home))
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    def call(*arguments: str) -> tuple[int, Any, str]:
        out, err = io.StringIO(), io.StringIO()
        output = Output(out=out, err=err, environ={})
        prompts = Prompts(stdin=io.StringIO(), output=output, environ={})
        invocation = Invocation(output=output, prompts=prompts, connection=DaemonConnection(), environ=os.environ)
        code = run(arguments, invocation)
        return code, json.loads(out.getvalue()) if "--json" in arguments else out.getvalue(), err.getvalue()

    return call


def doctor(say: Say) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for check in say("doctor", "--json")[1]["items"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_of_the_engine_the_doctor_says_what_sandbox_check_says(world: World, say: Say, tmp_path: Path) -> None:
    world.start()
    code, _, said = say("sandbox", "check")
    (check,) = doctor(say)["docker"]
    assert (code, check["status"]) == (1, "warning")
    assert f"There is no Docker engine at {tmp_path}/engine.sock" in check["message"]
    assert check["message"] in said
    for words in NEED_AN_ENGINE:
        code, _, said = say(*words)
        assert (code in (1, 69), f"There is no Docker engine at {tmp_path}/engine.sock" in said) == (True, True), words
    with engine_at(tmp_path / "engine.sock"):
        _, _, said = say("sandbox", "check")
        (check,) = doctor(say)["docker"]
        assert (check["status"], "Docker Engine 24.0.7 on Test OS: good." in check["message"]) == ("ok", True)
    with engine_at(tmp_path / "engine.sock"):
        world.stop()
        (check,) = doctor(say)["docker"]
        assert (check["status"], check["message"]) == ("ok", f"A Docker engine answers at {tmp_path}/engine.sock.")
    (check,) = doctor(say)["docker"]
    assert (check["status"], f"{tmp_path}/engine.sock" in check["message"]) == ("warning", True)


def test_podman_is_named_by_both(world: World, say: Say, tmp_path: Path) -> None:
    with engine_at(tmp_path / "engine.sock", components=("Podman Engine",)):
        world.start()
        code, _, said = say("sandbox", "check")
        (check,) = doctor(say)["docker"]
        assert (code, check["status"]) == (1, "warning")
        assert check["message"].removesuffix(".").lower() in said.lower()


def test_of_the_log_the_doctor_says_what_audit_verify_says(world: World, say: Say) -> None:
    world.start()
    assert say("audit", "verify")[0] == 0
    (check,) = doctor(say)["audit log"]
    assert (check["status"], "all of them whole" in check["message"]) == ("ok", True)
    world.session()
    # In the middle, while the daemon runs: nobody has looked there since it was written.
    with closing(sqlite3.connect(world.home / "aileron.db")) as connection, connection:
        connection.execute("UPDATE audit_events SET actor = 'person:other' WHERE seq = 1")
    (check,) = doctor(say)["audit log"]
    code, report, _ = say("audit", "verify", "--json")
    assert (code, check["status"]) == (1, "failed")
    assert report["problems"][0]["message"] in check["message"]
    world.ok("POST", "/v1/audit/resume", {"because": "it was me"})
    (check,) = doctor(say)["audit log"]
    code, report, _ = say("audit", "verify", "--json")
    assert (code, check["status"]) == (1, "warning")
    assert report["problems"][0]["message"] in check["message"]


def test_of_the_vault_the_doctor_says_what_vault_status_says(world: World, say: Say) -> None:
    world.start()
    for change, state, status in (
        (None, "absent", "warning"),
        (("create", {"passphrase": PASSPHRASE}), "unlocked", "ok"),
        (("lock", None), "locked", "warning"),
    ):
        if change is not None:
            world.ok("POST", f"/v1/vault/{change[0]}", change[1])
        (check,) = doctor(say)["vault"]
        assert (say("vault", "status", "--json")[1]["state"], check["status"]) == (state, status)
    for damaged in (b"{", (world.home / "vault.json").read_bytes().replace(b'"', b'"x', 1)):
        (world.home / "vault.json").write_bytes(damaged)
        code, _, said = say("vault", "status")
        (check,) = doctor(say)["vault"]
        assert (code != 0, check["status"]) == (True, "failed")
        assert check["message"] in said


def test_of_a_damaged_keyring_the_doctor_says_what_keyring_list_says(world: World, say: Say) -> None:
    world.start()
    assert say("keyring", "list")[0] == 0
    assert "keyring" not in doctor(say)
    world.stop()
    (world.home / "keyring.json").write_text("{")
    (world.home / "keyring.json").chmod(0o600)
    world.start()
    code, _, said = say("keyring", "list")
    (check,) = doctor(say)["keyring"]
    assert (code, check["status"]) == (1, "failed")
    assert check["message"] in said


def test_of_a_suspicious_discovery_file_the_doctor_says_what_every_command_says(world: World, say: Say) -> None:
    world.start()
    assert "discovery file" not in doctor(say)
    assert doctor(say)["agents' door"][0]["status"] == "ok"
    (world.home / "daemon.json").chmod(0o644)
    _, _, said = say("status")
    (check,) = doctor(say)["discovery file"]
    assert check["status"] == "failed"
    assert check["message"] in said


def test_of_an_action_the_lists_and_the_doctor_say_what_a_call_would_meet(world: World, say: Say) -> None:
    world.start()
    world.set_up()
    world.add_action("ship")
    arguments = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}

    def state() -> tuple[str, dict[str, int], list[dict[str, str]]]:
        (item,) = say("action", "list", "--json")[1]["items"]
        counts = {name: count for name, count in world.ok("GET", "/v1/status")["actions"].items() if count}
        return item["state"], counts, doctor(say).get("action ship", [])

    def call() -> str:
        answer = world.control("POST", "/v1/actions/ship/run", arguments)
        return "" if answer.is_success else str(answer.json()["error"]["message"])

    assert call() == ""
    assert state() == ("ready", {"enabled": 1, "ready": 1}, [])

    world.ok("POST", "/v1/vault/lock")
    assert "locked" in call()
    assert state() == ("locked", {"enabled": 1, "locked": 1}, [])
    world.unlock()

    world.ok("POST", "/v1/actions/ship/disable")
    assert "disabled" in call()
    assert state() == ("disabled", {"disabled": 1}, [])
    world.ok("POST", "/v1/actions/ship/enable")

    (binding,) = world.ok("GET", "/v1/bindings")["items"]
    assert say("binding", "remove", binding["name"], "--yes")[0] == 0
    gone = call()
    shown, counts, (check,) = state()
    assert (shown, counts, check["status"]) == ("blocked", {"enabled": 1, "blocked": 1}, "warning")
    assert check["message"] == gone
    assert gone in say("action", "run", "ship", f"url={world.upstream}/x", "body={}")[2]

    text = (world.home / "actions" / "ship.md").read_text()
    other = text.replace(world.hashes["wellbehaved"], "sha256:" + "0" * 64)
    (world.home / "actions" / "ship.md").write_text(other)
    gone = call()
    shown, _, (check,) = state()
    assert (shown, check["message"]) == ("blocked", gone)
    (world.home / "actions" / "ship.md").write_text(text)

    assert say("connector", "show", WELLBEHAVED, "--json")[1]["used_by"] == ["ship"]
    _, _, said = say("connector", "remove", WELLBEHAVED, "--yes")
    assert said.startswith("These actions cannot run without it: ship")
    gone = call()
    shown, counts, checks = state()
    assert (shown, counts) == ("blocked", {"enabled": 1, "blocked": 1})
    assert gone in {check["message"] for check in checks}
    assert "0 ready, 1 blocked" in say("status")[1]
    assert gone in say("action", "show", "ship")[1]
