"""What tests start is a process of its own, forked or fresh, and its end is told as `subprocess` tells it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Process, Server, start_process

STAND_IN = "tests.services.upstream"
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nothing is forked where an end cannot be seen")


def started(**options: object) -> Process:
    """Start a stand-in and wait until it listens."""
    said, theirs = os.pipe()
    with os.fdopen(said) as words:
        try:
            process = start_process(
                STAND_IN,
                environment=os.environ,
                output=theirs,
                errors_too=False,
                **options,  # type: ignore[arg-type]
            )
        finally:
            os.close(theirs)
        assert words.readline()
    return process


@pytest.fixture
def two() -> Iterator[list[Process]]:
    """Offer two that were forked: what comes up again has a server."""
    three = [started() for _ in range(3)]
    yield three[1:]
    for process in three:
        process.kill()
        process.wait(10)


def opened(pid: int) -> set[str]:
    """Return the pipes and sockets that a process has open, without that for its errors."""
    links = {path.name: str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return {link for name, link in links.items() if link.startswith(("pipe:", "socket:")) and name != "2"}


def test_a_forked_process_has_a_session_of_its_own_and_shares_nothing_that_is_open(two: list[Process]) -> None:
    assert not [process for process in two if isinstance(process, subprocess.Popen)]
    assert [os.getsid(process.pid) for process in two] == [process.pid for process in two]
    assert opened(two[0].pid)
    assert opened(two[1].pid)
    assert not opened(two[0].pid) & opened(two[1].pid)


def test_the_end_of_a_forked_process_is_told_by_its_code_or_its_signal(two: list[Process]) -> None:
    assert two[0].poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        two[0].wait(0)
    two[0].terminate()
    two[1].kill()
    assert two[0].wait(20) == 0
    assert two[1].wait(20) == -signal.SIGKILL
    assert two[1].poll() == -signal.SIGKILL
    two[1].kill()  # nobody else with that number is hit


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "LD_PRELOAD", "TZ"])
def test_an_environment_that_an_import_may_look_at_is_that_of_the_server_too(
    monkeypatch: pytest.MonkeyPatch, two: list[Process], name: str
) -> None:
    monkeypatch.setenv(name, "")
    three = [started() for _ in range(3)]
    assert [isinstance(process, subprocess.Popen) for process in three] == [True, False, False]
    parents = {Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1] for process in three[1:]}
    for process in three:
        process.kill()
        process.wait(10)
    [parent] = parents
    assert f"{name}=".encode() in Path(f"/proc/{parent}/environ").read_bytes().split(b"\0")


@pytest.mark.parametrize("wish", [{"fresh": True}, {"prefix": ["env"]}], ids=["asked for", "a command before it"])
def test_a_fresh_process_is_started_by_its_command(wish: dict[str, object]) -> None:
    process = started(**wish)
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    process.kill()
    process.wait(10)
    assert words[:3] == [sys.executable.encode(), b"-m", STAND_IN.encode()]


def test_a_server_that_ends_does_not_leave_a_test_waiting(tmp_path: Path) -> None:
    server = Server(os.environ)
    with (tmp_path / "output").open("wb") as output:
        process = server.fork(STAND_IN, [], environment=os.environ, output=output.fileno(), errors_too=True)
        server.process.kill()
        with pytest.raises(AssertionError, match=f"forked process {process.pid} has ended"):
            process.wait(20)
    server.close()
    os.kill(process.pid, signal.SIGKILL)
