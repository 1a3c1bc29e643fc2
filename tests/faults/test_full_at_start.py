"""A daemon that starts on a disk that fills says so in a sentence and leaves everything as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.failing_disk import FailingDisk
from services.upstream import UpstreamProcess
from world import World

from daemon.cli.failure import ExitCode


@pytest.mark.parametrize("word", ["ENOSPC", "EIO-SYNC"])
def test_a_start_that_cannot_write_its_first_event_says_so_in_a_sentence(tmp_path: Path, word: str) -> None:
    disk = FailingDisk(tmp_path, match="aileron.db")
    with UpstreamProcess() as upstream, World(tmp_path, upstream=upstream.url) as world:
        # The tables are there and no event is: the next start needs no migration, and writes the terminal's session.
        world.start()
        world.kill()
        # With the key and what is kept beside it: a home that only lost its database is one whose log is damaged.
        for name in ("aileron.db", "aileron.db-wal", "aileron.db-shm", *(f"ca/audit.{kind}" for kind in _KEPT)):
            (world.home / name).unlink(missing_ok=True)
        _migrated(world.home)
        before = world.output()
        disk.fail(word)
        world.process = world.spawn(**disk.environment())
        assert world.wait_dead() == 1
        said = world.output().removeprefix(before)
        assert "aileron.db cannot be read or written" in said or "The audit log cannot be written" in said
        assert "Traceback" not in said
        disk.recover()
        world.start(**disk.environment())
        assert world.verify()["ok"]


@pytest.mark.parametrize("name", ["spawn.lock", "daemon.lock", "session.", "audit.key", "audit.seal", "aileron.db"])
def test_a_start_on_a_full_disk_tells_who_typed_the_command_which_file_and_why(tmp_path: Path, name: str) -> None:
    said = _type_a_command(tmp_path, FailingDisk(tmp_path, match=name))
    assert name in said
    assert "o space left on device" in said or "disk is full" in said
    assert "Traceback" not in said


def test_a_daemon_that_cannot_write_its_last_words_is_spoken_for(tmp_path: Path) -> None:
    # A name that both have: the lock, on which it ends, and the file that it speaks into.
    said = _type_a_command(tmp_path, FailingDisk(tmp_path, match="/daemon."))
    assert "daemon.out: no space left on device" in said


def _type_a_command(folder: Path, disk: FailingDisk) -> str:
    """Type a command that starts the daemon, on this disk; return what the person reads."""
    disk.fail("ENOSPC")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AILERON_")}
    typed = subprocess.run(
        [str(Path(sys.executable).with_name("aileron")), "action", "list"],
        env=kept | disk.environment() | {"AILERON_HOME": str(folder / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert typed.returncode == ExitCode.UNREACHABLE
    return typed.stdout + typed.stderr


_KEPT = ("key", "seal", "running")


def _migrated(home: Path) -> None:
    from daemon.db.migration import migrate

    migrate(home / "aileron.db", backups=home / "backups", now_ms=1)
