"""The engine itself is killed: the launch says so, the agent ends, and nothing is left when it is back."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.engine import SHORTLY, Shell
from services.upstream import UpstreamProcess
from world import World

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="an engine of the test's own needs root"),
]
SECONDS = 60


class PrivateEngine:
    """An engine that nobody else uses, so that it may die."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"{folder}/d.sock"
        self.bridge = f"ail{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for stale in ("d.pid", "exec-root/containerd/containerd.pid"):
            (self.folder / stale).unlink(missing_ok=True)
        words = [f"--{name}={self.folder / name}" for name in ("data-root", "exec-root")]
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    *words,
                    *(f"--host=unix://{self.socket}", f"--pidfile={self.folder / 'd.pid'}", f"--bridge={self.bridge}"),
                    # Another engine's rules and bridge are not this one's to change.
                    *("--iptables=false", "--ip-masq=false", "--default-address-pool=base=10.213.0.0/16,size=24"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "dockerd.log").read_text()[-9000:]
            time.sleep(0.2)

    def answers(self) -> bool:
        return self.run("version", check=False).returncode == 0

    def run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        # Not the library: it leaves its sockets open when nobody answers.
        command = ["docker", "--host", f"unix://{self.socket}", *words]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=SECONDS)

    def kill(self) -> None:
        """Kill the engine and its containerd; the containers and their shims go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)
        self._kill_all("containerd --config")

    def stop(self) -> None:
        """End it with everything that it started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(SECONDS)
        self._kill_all("")

    def _kill_all(self, beginning: str) -> None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = place.read_bytes().decode(errors="replace").replace("\0", " ")
                if command.startswith(beginning) and str(self.folder) in command:
                    os.kill(int(place.parent.name), signal.SIGKILL)


@pytest.fixture
def private(images: dict[str, str]) -> Iterator[PrivateEngine]:
    # A short path, because the engine's sockets lie below it and a socket's path has 108 bytes.
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="d-", dir="/tmp")))
    try:
        subprocess.run(["ip", "link", "add", engine.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", "10.214.0.1/24", "dev", engine.bridge], check=True)
        engine.start()
        saved = subprocess.Popen(["docker", "save", images["codex"]], stdout=subprocess.PIPE)
        load = ["docker", "--host", f"unix://{engine.socket}", "load", "--quiet"]
        subprocess.run(load, stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL)
        assert saved.stdout is not None
        saved.stdout.close()
        saved.wait(SECONDS)
        yield engine
    finally:
        engine.stop()
        subprocess.run(["ip", "link", "delete", engine.bridge], check=False)
        shutil.rmtree(engine.folder, ignore_errors=True)


def left(engine: PrivateEngine) -> list[str]:
    mine = ("--quiet", "--filter", "label=io.aileron.home")
    return (engine.run("ps", "--all", *mine).stdout + engine.run("network", "ls", *mine).stdout).split()


def test_when_the_engine_is_killed_the_launch_says_so_and_nothing_stays(private: PrivateEngine, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    folder.mkdir()
    settings = f'[sandbox]\ndocker_socket = "{private.socket}"\n'
    with UpstreamProcess() as upstream, World(folder, upstream=upstream.url, settings=settings, **SHORTLY) as world:
        world.start()
        shell = Shell(world, folder)
        process = shell.start(*shell.words("sh", "-c", "echo started; sleep 600"))
        deadline = time.monotonic() + SECONDS
        while not any(item["ready"] for item in world.ok("GET", "/v1/sandboxes")["items"]):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        private.kill()
        out, err = process.communicate(timeout=30)
        assert process.returncode == 70, err
        assert out == "started\n"
        assert "Docker engine" in err
        private.start()
        deadline = time.monotonic() + SECONDS
        while found := left(private):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        while world.ok("GET", "/v1/sandboxes")["items"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert list(shell.workspace.iterdir()) == []
        world.stop()
