"""Starting the daemon for a command: what it is given, and what is said when it does not come up."""

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from daemon.base.home import Home
from daemon.base.platform import process_identity
from daemon.lifecycle import spawn
from daemon.lifecycle.errors import SpawnError
from daemon.lifecycle.lock import FileLock
from daemon.lifecycle.spawn import ensure_daemon, stop_daemon


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Offer the place of a program that is started instead of the daemon, to be one that behaves badly."""
    folder = tmp_path / "program" / "daemon"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    return folder / "__main__.py"


def test_the_home_is_made_for_its_owner_alone(home: Home) -> None:
    folders = [home.path, *(path for path in home.path.iterdir() if path.is_dir())]
    assert len(folders) == 8
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_the_secrets_of_a_command_are_not_handed_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AILERON_VAULT_PASSPHRASE", "sentinel-passphrase")
    monkeypatch.setenv("AILERON_TOKEN", "sentinel-token")
    monkeypatch.setenv("AILERON_AUDIT__CHECKPOINT_EVERY", "5")
    (tmp_path / "daemon").mkdir()
    monkeypatch.chdir(tmp_path)  # where a folder of that name must not be taken for the program
    found = ensure_daemon(home)
    try:
        assert os.getsid(found.pid) == found.pid
        process = Path(f"/proc/{found.pid}")
        if process.exists():  # elsewhere than on Linux, a process cannot be looked at like this
            environment = (process / "environ").read_bytes()
            assert b"sentinel-" not in environment
            assert b"AILERON_AUDIT__CHECKPOINT_EVERY=5" in environment
            core = next(line for line in (process / "limits").read_text().splitlines() if "core file" in line)
            assert core.split()[4:6] == ["0", "0"]
        made = [path for path in home.path.rglob("*") if path.is_file() and not path.is_symlink()]
        assert not [path for path in made if path.stat().st_mode & 0o077]
    finally:
        assert stop_daemon(home)
    assert process_identity(found.pid) is None


def test_the_words_of_an_earlier_start_are_not_taken_for_those_of_this_one(home: Home, program: Path) -> None:
    (home.logs_dir / "daemon.out").write_text("old words\n")
    program.write_text("import sys; sys.exit('new words')")
    with pytest.raises(SpawnError, match=r"(?s)ended at once \(exit code 1\).*new words") as caught:
        ensure_daemon(home)
    assert "old words" not in str(caught.value)


def test_what_old_daemons_printed_does_not_grow_for_ever(home: Home, program: Path) -> None:
    output = home.logs_dir / "daemon.out"
    output.write_bytes(b"x" * (2**20 + 1))
    program.write_text("import sys; sys.exit('words')")
    with pytest.raises(SpawnError):
        ensure_daemon(home)
    assert output.read_text() == "words\n"
    assert output.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("stubborn", [False, True])
def test_one_that_does_not_come_up_is_stopped_again(
    home: Home, program: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    monkeypatch.setattr(spawn, "START_SECONDS", 1.0)
    monkeypatch.setattr(spawn, "_GRACE_SECONDS", 0.3)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    program.write_text(f"import os, signal, time; {ignore} print(os.getpid(), flush=True); time.sleep(60)")
    with pytest.raises(SpawnError, match=r"did not answer within 1 s and was stopped again.*words"):
        ensure_daemon(home)
    assert process_identity(int((home.logs_dir / "daemon.out").read_text())) is None


def test_a_lock_whose_holder_cannot_be_found_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ensure_daemon(home)
    try:
        home.discovery_path.unlink()
        with pytest.raises(SpawnError, match=rf"(?s)held by process {found.pid}.*kill {found.pid}"):
            ensure_daemon(home)
    finally:
        os.kill(found.pid, signal.SIGTERM)
        lock = FileLock(home.lock_path)
        assert lock.acquire(seconds=20)
        lock.release()


def test_a_daemon_that_is_stopped_is_gone_and_the_next_one_starts_at_once(home: Home) -> None:
    first = ensure_daemon(home)
    assert stop_daemon(home)
    assert process_identity(first.pid) is None
    began = time.monotonic()
    second = ensure_daemon(home)
    assert stop_daemon(home)
    assert second.pid != first.pid
    assert time.monotonic() - began < 15
