"""A daemon that starts on a disk that fills says so in a sentence and leaves everything as it was."""

from pathlib import Path

import pytest
from faults.failing_disk import FailingDisk
from services.upstream import UpstreamProcess
from world import World


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


_KEPT = ("key", "seal", "running")


def _migrated(home: Path) -> None:
    from daemon.db.migration import migrate

    migrate(home / "aileron.db", backups=home / "backups", now_ms=1)
