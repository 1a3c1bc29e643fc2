"""An engine of its own is killed while a sandbox runs, and started again.

Run in a network namespace of its own: engine_that_dies.py IMAGE. A second engine in the same one would remove bridges
and rules of the first.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.engine import SHORTLY, Shell
from sandbox.person import Person, session_of
from services.upstream import UpstreamProcess
from world import World

SECONDS = 60
AGENT = ("sleep", "86413")
"""What runs in place of an agent, known by its arguments."""
SHORTLY_AFTER = 2.0
"""How long it may live when it has stopped the first process of its container."""


class PrivateEngine:
    """An engine that nobody else uses, so that it may die."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"{folder}/d.sock"
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
                    *(f"--host=unix://{self.socket}", f"--pidfile={self.folder / 'd.pid'}"),
                    *("--bridge=none", "--iptables=false", "--ip-masq=false"),
                    "--default-address-pool=base=10.213.0.0/16,size=24",
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

    def pause(self) -> None:
        """Let it answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

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


@contextlib.contextmanager
def private(image: str) -> Iterator[PrivateEngine]:
    # A short path, because the engine's sockets lie below it and a socket's path has 108 bytes.
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="d-", dir="/tmp")))
    try:
        engine.start()
        saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
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
    mine = ("--quiet", "--filter", "label=io.aileron.home")
    return (engine.run("ps", "--all", *mine).stdout + engine.run("network", "ls", *mine).stdout).split()


def main(engine: PrivateEngine, folder: Path) -> None:
    """Kill it, and look at what comes of it."""
    settings = f'[sandbox]\ndocker_socket = "{engine.socket}"\n'
    with UpstreamProcess() as upstream, World(folder, upstream=upstream.url, settings=settings, **SHORTLY) as world:
        world.start()
        shell = Shell(world, folder)
        engine_alone(engine, world, shell)
        engine_hangs(engine, world, shell)
        engine_and_daemon(engine, world, shell)
        (folder / "landing").mkdir(mode=0o755)
        engine_while_commits_are_packed(engine, world, Shell(world, folder / "landing"))
        world.stop()


def agents() -> list[str]:
    """Return the processes of agents that run on this machine, in whatever container."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().decode(errors="replace").split("\0")[:-1] == [*AGENT]:
                found.append(place.parent.name)
    return found


def launched(world: World, shell: Shell) -> "subprocess.Popen[str]":
    """Launch something that stays."""
    # It stops the first process of its container, from which it would hear of the end.
    process = shell.start(*shell.words("sh", "-c", f"kill -STOP $PPID; echo started; exec {' '.join(AGENT)}"))
    until(
        lambda: any(item["ready"] for item in world.ok("GET", "/v1/sandboxes")["items"]) or process.poll() is not None
    )
    assert process.poll() is None, process.communicate()
    until(lambda: bool(agents()))
    return process


def until(found: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def engine_alone(engine: PrivateEngine, world: World, shell: Shell) -> None:
    """The launch says so at once; what is left goes when the engine is back."""
    process = launched(world, shell)
    engine.kill()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 70, err
    assert out == "started\n"
    assert "Docker engine" in err
    until(lambda: not agents())  # without an engine: the daemon lets its pipe go
    refused = shell.run(*shell.words("true"))
    assert refused.returncode != 0
    assert "There is no Docker engine" in refused.stderr
    engine.start()
    until(lambda: left(engine) == [])
    until(lambda: world.ok("GET", "/v1/sandboxes")["items"] == [])
    assert list(shell.workspace.iterdir()) == []


def engine_and_daemon(engine: PrivateEngine, world: World, shell: Shell) -> None:
    """A daemon that finds no engine clears the workspace at once, and the engine as soon as it answers."""
    process = launched(world, shell)
    engine.kill()
    world.kill()
    until(lambda: not agents())
    process.communicate(timeout=30)
    world.start()
    until(lambda: list(shell.workspace.iterdir()) == [])
    engine.start()
    until(lambda: left(engine) == [])
    until(lambda: list((world.home / "sandboxes").iterdir()) == [])
    again = shell.run(*shell.words("echo", "works"))
    assert again.stdout == "works\n", again.stderr
    until(lambda: left(engine) == [])


def engine_hangs(engine: PrivateEngine, world: World, shell: Shell) -> None:
    """An engine that does not answer keeps nobody alive when the daemon is killed."""
    process = launched(world, shell)
    engine.pause()
    began = time.monotonic()
    world.kill()
    until(lambda: not agents())
    lived = time.monotonic() - began
    engine.go_on()
    process.communicate(timeout=30)
    assert lived < SHORTLY_AFTER
    world.start()
    until(lambda: left(engine) == [])


def engine_while_commits_are_packed(engine: PrivateEngine, world: World, shell: Shell) -> None:
    """Nothing of a branch lands without the engine, and that is said; files land all the same, and later the rest."""
    person = Person(shell)
    person.repository()
    script = "set -e; echo one > committed.txt; git add -A; git commit -qm one; echo two > plain.txt"
    ended = shell.inside("sh", "-c", script, options=("--land", "never"))
    short = session_of(ended.stderr)
    [session] = [each["id"] for each in world.ok("GET", "/v1/sessions")["items"] if each["id"].endswith(short)]
    with made_packers(engine) as made:
        landing = shell.start("session", "land", session, "--branch", "theirs", "--yes")
        for _ in ("for the look", "for the landing"):
            assert f"aileron-{session}-packer" in next(made)
        engine.kill()
    out, err = landing.communicate(timeout=SECONDS)
    assert landing.returncode not in (0, None), out + err
    assert "Docker engine" in err, err
    assert person.git("branch", "--format=%(refname:short)") == "main"
    assert person.git("for-each-ref", "refs/aileron") == ""
    assert person.status() == []
    person.is_sound()
    assert "it failed" in world.ok("GET", f"/v1/workspaces/{session}")["last_landing"]["said"]
    files = shell.run("session", "land", session, "--files", "--yes")
    assert files.returncode == 0, files.stderr
    assert person.status() == ["?? committed.txt", "?? plain.txt"]
    engine.start()
    rest = shell.run("session", "land", session, "--yes")
    assert rest.returncode == 0, rest.stderr
    assert person.git("log", "--format=%s") == "one\nfirst"
    assert person.status() == ["?? plain.txt"]
    person.is_sound()
    until(lambda: left(engine) == [])


@contextlib.contextmanager
def made_packers(engine: PrivateEngine) -> Iterator[Iterator[str]]:
    """Offer the names of containers that pack commits, each as soon as it is made."""
    # By the engine's clock: nothing that is made before we listen is missed, and nothing from before that is told.
    now = engine.run("info", "--format", "{{.SystemTime}}").stdout.strip()
    words = ["events", f"--since={now}", "--filter", "event=create", "--filter", "type=container"]
    listening = subprocess.Popen(
        ["docker", "--host", f"unix://{engine.socket}", *words, "--format", "{{.Actor.Attributes.name}}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with listening:
        assert listening.stdout is not None
        try:
            yield (line for line in listening.stdout if "packer" in line)
        finally:
            listening.kill()


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with private(sys.argv[1]) as own, tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        main(own, Path(place))
