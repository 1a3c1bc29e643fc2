"""The rooms start in order and stop in the reverse order, also when a start fails half-way."""

import asyncio
import gc
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon import app
from daemon.base.clock import SystemClock
from daemon.base.faults import NO_FAULTS
from daemon.base.home import Home
from daemon.base.settings import load_settings
from daemon.lifecycle.process import Addresses

# The Docker client leaves the socket of a try that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected_here() -> Iterator[None]:
    """Have such sockets collected now, and not in the middle of another test."""
    yield
    gc.collect()


ADDRESSES = Addresses(control="http://127.0.0.1:1", agent="http://127.0.0.1:2")


class Randomness:
    """Draws random bytes; the draw with a given number fails, as a full disk or a defect would."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.drawn = 0
        self._fails_at = fails_at

    def __call__(self, count: int) -> bytes:
        self.drawn += 1
        if self.drawn == self._fails_at:
            raise RuntimeError("there is no randomness")
        return os.urandom(count)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Offer the home of an installation, in which no engine is asked for anything."""
    home = Home.find({"AILERON_HOME": str(tmp_path / "home")})
    home.prepare()
    home.config_path.write_text('[sandbox]\ndocker_socket = "/nowhere/docker.sock"\n')
    home.config_path.chmod(0o600)
    return home


async def started(home: Home, entropy: Randomness) -> app.Daemon:
    return await app.start(
        settings=load_settings(home, {}),
        home=home,
        addresses=ADDRESSES,
        clock=SystemClock(),
        entropy=entropy,
        faults=NO_FAULTS,
    )


def threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.is_alive()}


async def ended(before: set[threading.Thread]) -> set[threading.Thread]:
    """Return which threads of a daemon are left; idle ones of a pool may take a moment to end."""
    deadline = time.monotonic() + 20
    while (left := threads() - before) and time.monotonic() < deadline:  # noqa: ASYNC110 - threads tell nobody
        await asyncio.sleep(0.01)
    return left


def unsigned(home: Home) -> int:
    """Return how many events stand behind the last checkpoint."""
    with closing(sqlite3.connect(home.database_path)) as connection:
        query = "SELECT (SELECT max(seq) FROM audit_events) - (SELECT max(seq) FROM audit_checkpoints)"
        return int(connection.execute(query).fetchone()[0])


async def test_a_stop_ends_every_thread_and_signs_all_that_was_written_on_the_way(home: Home) -> None:
    before = threads()
    daemon = await started(home, Randomness())
    assert threads() - before  # one of those before may end meanwhile
    await daemon.close()
    assert await ended(before) == set()
    assert unsigned(home) == 0


async def test_a_start_that_fails_half_way_leaves_nothing_running_and_the_next_one_works(home: Home) -> None:
    await (await started(home, Randomness())).close()  # the first one makes keys, so it draws more often
    whole = Randomness()
    await (await started(home, whole)).close()
    assert whole.drawn > 0
    before = threads()
    for number in range(1, whole.drawn + 1):
        with pytest.raises(RuntimeError, match="no randomness"):
            await started(home, Randomness(fails_at=number))
        assert await ended(before) == set(), f"the start that failed at draw {number} left something running"
    await (await started(home, Randomness())).close()
    assert unsigned(home) == 0
