"""The engine itself is killed: the launch says so, the agent ends, and nothing is left when it is back."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
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
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self.folder / "d.pid").unlink(missing_ok=True)
        places = ("data-root", "exec-root")
        words = [word for name in places for word in (f"--{name}", str(self.folder / name))]
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    *words,
                    *("--host", f"unix://{self.socket}", "--pidfile", str(self.folder / "d.pid")),
                    *("--bridge", "none", "--default-address-pool", "base=10.213.0.0/16,size=24"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if Path(self.socket).exists():
                    self.client().close()
                else:
                    raise docker.errors.DockerException("not yet")
            except docker.errors.DockerException:
                assert time.monotonic() < deadline, (self.folder / "dockerd.log").read_text()[-2000:]
                time.sleep(0.2)
            else:
                return

    def client(self) -> "docker.APIClient":
        return docker.APIClient(base_url=f"unix://{self.socket}", version="auto", timeout=10)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def stop(self) -> None:
        """End it with everything that it started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(SECONDS)
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                ours = str(self.folder).encode() in place.read_bytes()
            except OSError:
                continue
            if ours and place.parent.name != str(os.getpid()):
                os.kill(int(place.parent.name), signal.SIGKILL)


@pytest.fixture
def private(images: dict[str, str]) -> Iterator[PrivateEngine]:
    # A short path, because the engine's sockets lie below it and a socket's path has 108 bytes.
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="d-", dir="/tmp")))
    try:
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
        shutil.rmtree(engine.folder, ignore_errors=True)


def left(engine: PrivateEngine) -> list[str]:
    client = engine.client()
    try:
        mine = {"label": "io.aileron.home"}
        return [each["Id"] for each in (*client.containers(all=True, filters=mine), *client.networks(filters=mine))]
    finally:
        client.close()


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
