"""The lock: one holder, gone with its process, whoever else it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from daemon.lifecycle.lock import FileLock

_HOLD = "import sys; from pathlib import Path; from daemon.lifecycle.lock import FileLock\n"
_HOLD += "lock = FileLock(Path(sys.argv[1])); assert lock.acquire(); "


def holder(path: Path, extra: str = "") -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_HOLD}{extra} print('held', flush=True); input()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_one_does_not_get_it_and_can_tell_who_has_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert first.held
    assert not second.acquire()
    assert not second.held
    assert second.holder() == os.getpid()
    first.release()
    assert second.acquire()
    second.release()
    second.release()


def test_waiting_ends_after_the_given_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    began = time.monotonic()
    assert not second.acquire(seconds=0.2)
    assert 0.2 <= time.monotonic() - began < 5
    first.release()


def test_it_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    process = holder(tmp_path / "lock")
    lock = FileLock(tmp_path / "lock")
    assert not lock.acquire()
    assert lock.holder() == process.pid
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert lock.acquire(seconds=2)
    lock.release()


def test_a_program_that_the_holder_started_does_not_keep_it(tmp_path: Path) -> None:
    process = holder(tmp_path / "lock", "import subprocess; subprocess.Popen(['sleep', '60'], stdout=-3);")
    process.kill()
    process.wait()
    try:
        lock = FileLock(tmp_path / "lock")
        assert lock.acquire(seconds=2)
        lock.release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_file_is_private_and_a_strange_content_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = FileLock(path)
    assert lock.holder() is None
    assert lock.acquire()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("somebody")
    assert lock.holder() is None
    lock.release()
