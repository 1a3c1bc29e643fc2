"""Row A1, below the daemon: a disk that is full, that fails, that ends in the middle; the log says so and goes on."""

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from audit.audit_room import an_event, open_room
from faults.failing_disk import FailingDisk
from sqlalchemy import create_engine, select

from daemon.audit.query import EventFilter, query_events
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import VerifyReport, verify
from daemon.core.failures import Failure, FailureClass
from daemon.db.tables import sessions

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20


@dataclass
class Child:
    """The child of `appending_child.py`, driven a round at a time."""

    process: "subprocess.Popen[str]"
    written: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def read_until(self, word: str) -> str:
        """Take note of what the child says, until it says this word."""
        for line in self.output:
            self.note(line)
            if line.startswith(word):
                return line
        raise AssertionError(f"the child ended with {self.process.wait()}")

    def note(self, line: str) -> None:
        kind, _, rest = line.rstrip("\n").partition(" ")
        if kind in {"written", "refused"} and line.endswith("\n"):
            name, _, answer = rest.partition(" ")
            (self.written if kind == "written" else self.refused)[name] = answer

    def round(self) -> str:
        """Let the child append once more."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.read_until("round")


@contextmanager
def child(
    folder: Path, *, at_once: int, stepwise: bool, file_limit: int | None = None, **environment: str
) -> Iterator[Child]:
    """Start a child and end it at the end."""

    def limit() -> None:
        if file_limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))

    arguments = [sys.executable, "-m", "audit.appending_child", str(folder), str(at_once)]
    process = subprocess.Popen(
        [*arguments, "stepwise"] if stepwise else arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
        preexec_fn=limit,  # noqa: PLW1509 - nothing else runs in this process between fork and exec
    )
    try:
        yield Child(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def check(folder: Path, started: Child) -> VerifyReport:
    """See that all that was acknowledged is there, event and effect, and nothing that was refused."""
    path = folder / "aileron.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        ids = {event.id for event in query_events(connection, EventFilter(limit=None))}
        names = set(connection.execute(select(sessions.c.id)).scalars())
    engine.dispose()
    assert set(started.written.values()) <= ids
    assert set(started.written) <= names
    assert names.isdisjoint(started.refused)
    assert len(names) == len(ids)
    report = verify(path, public_keys=CheckpointSigner.open(folder / "ca" / "audit.key").public_keys())
    assert report.problems == []
    return report


@pytest.mark.parametrize("errno_name", ["ENOSPC", "EIO"])
def test_a_failing_disk_refuses_everything_and_nothing_is_lost_when_it_recovers(
    tmp_path: Path, errno_name: str
) -> None:
    (tmp_path / "log").mkdir()
    disk = FailingDisk(tmp_path, match="aileron.db")
    with child(tmp_path / "log", at_once=5, stepwise=True, **disk.environment()) as started:
        started.read_until("ready")
        for _ in range(3):
            assert started.round() == "round True None\n"
            disk.fail(errno_name)
            before = len(started.refused)
            assert started.round().startswith("round False disk I/O error" if errno_name == "EIO" else "round False ")
            assert len(started.refused) == before + 5
            disk.recover()
        assert started.round() == "round True None\n"
        assert len(started.written) == 20
        assert all(answer.startswith("audit_unavailable ") for answer in started.refused.values())
        check(tmp_path / "log", started)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of one mebibyte."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs root; the limit on the size of files is tested everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_file_system_that_is_full_refuses_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as folder:
        async with open_room(folder) as room:
            await room.log.append(an_event())
            ballast = folder / "ballast"
            fill(ballast)
            head = room.log.status()
            with pytest.raises(Failure, match="full") as caught:
                await fill_up(room.log.append)
            assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
            status = room.log.status()
            assert not status.available
            assert "full" in str(status.reason)
            assert room.events()[-1].hash == status.head_hash
            ballast.unlink()
            # Nobody needs to append for `status` to tell that the disk has room again.
            for _ in range(150):
                if room.log.status().available:
                    break
                await asyncio.sleep(0.1)
            assert room.log.status().available
            record = (await room.log.append(an_event())).records[0]
            assert record.seq > head.head_seq
        assert room.verify().problems == []


def fill(ballast: Path) -> None:
    """Take all the room there is."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


async def fill_up(append: object) -> None:
    """Append until it does not work; the file system may have left a page or two."""
    for _ in range(2000):
        await append(an_event())  # type: ignore[operator]


def test_a_file_that_may_not_grow_refuses_and_the_rest_is_whole(tmp_path: Path) -> None:
    with child(tmp_path, at_once=50, stepwise=True, file_limit=300_000) as started:
        started.read_until("ready")
        while "True" in started.round():
            pass
        assert started.refused
        resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert started.round() == "round True None\n"
        check(tmp_path, started)


@pytest.mark.slow
def test_whenever_the_process_is_killed_all_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    dice = random.Random(20)
    written: dict[str, str] = {}
    for _ in range(KILLS):
        with child(tmp_path, at_once=dice.choice([1, 7, 40]), stepwise=False) as started:
            started.written = written
            started.read_until("ready")
            started.read_until("round")
            time.sleep(dice.uniform(0, 0.15))
            started.process.send_signal(signal.SIGKILL)
            for line in started.output:
                started.note(line)
        check(tmp_path, started)
    assert len(written) > KILLS
