"""Row A3: whatever is done to a log without its key is found, with its place, and is never signed.

Each act is done to a log that was stopped, to one whose daemon was killed, and to one that is in use; then the log is
opened, used and stopped as if nothing had happened, which once made a forgery genuine.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit.tampering import ACTS, Act, LogHome, Opened, Originals, open_log

from daemon.core.failures import Failure, FailureClass

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def originals() -> Iterator[Originals]:
    """Offer whole logs to be copied, in memory if that can be: what a sync is worth is tested elsewhere."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Originals(Path(folder)).make()


def kept(home: LogHome) -> tuple[object, ...]:
    """Return all that the key has signed, in the database and beside the key."""
    files = [home.beside(name) for name in ("audit.seal", "audit.running")]
    return (home.checkpoints(), *(path.read_bytes() if path.exists() else None for path in files))


async def insist(opened: Opened, home: LogHome, act: Act) -> None:
    """The damage is named at its place, and nothing can be appended or signed."""
    found = opened.found(home.database)
    assert {place for _, place in found} & act.places, found
    with pytest.raises(Failure) as caught:
        await opened.append()
    assert caught.value.failure_class is FailureClass.AUDIT_UNAVAILABLE
    assert "aileron audit verify" in caught.value.message
    with pytest.raises(Failure):
        opened.log.head()
    assert opened.log.status().damage


async def open_and_insist(home: LogHome, act: Act) -> None:
    """Open the log, insist, and stop in good order."""
    opened = open_log(home.folder)
    try:
        await insist(opened, home, act)
    finally:
        await opened.log.close()
        opened.engine.dispose()


def test_there_are_forty_two_acts_at_least() -> None:
    assert len(ACTS) >= 42


@pytest.mark.parametrize("kind", ["stopped", "killed"])
def test_a_log_that_nobody_touched_is_whole(originals: Originals, kind: str) -> None:
    async def use(home: LogHome) -> None:
        for _ in range(2):
            opened = open_log(home.folder)
            assert opened.found(home.database) == []
            await opened.append()
            assert opened.found(home.database) == []
            await opened.log.close()
            opened.engine.dispose()

    with originals.copy(kind) as home:
        asyncio.run(use(home))


@pytest.mark.parametrize("kind", ["stopped", "killed"])
@pytest.mark.parametrize("name", ACTS)
def test_what_is_done_to_a_log_at_rest_is_found_before_and_after_a_clean_stop(
    originals: Originals, kind: str, name: str
) -> None:
    act = ACTS[name]
    with originals.copy(kind) as home:
        act.do(home)
        asyncio.run(open_and_insist(home, act))
        before = kept(home)
        asyncio.run(open_and_insist(home, act))
        assert kept(home) == before, "a damaged log was signed"


@pytest.mark.parametrize("name", [name for name, act in ACTS.items() if act.live])
def test_what_is_done_to_a_log_in_use_is_found_before_and_after_a_clean_stop(originals: Originals, name: str) -> None:
    act = ACTS[name]

    async def use(home: LogHome) -> None:
        opened = open_log(home.folder)
        act.do(home)
        checkpoints = home.checkpoints()
        found = opened.found(home.database)
        assert {place for _, place in found} & act.places, found
        await insist(opened, home, act)
        await opened.log.close()
        opened.engine.dispose()
        assert home.checkpoints() == checkpoints, "a damaged log was signed"
        await open_and_insist(home, act)

    with originals.copy("killed") as home:
        asyncio.run(use(home))


@pytest.mark.parametrize("name", [name for name, act in ACTS.items() if act.live])
def test_a_clean_stop_signs_nothing_that_was_tampered_with_unseen(originals: Originals, name: str) -> None:
    act = ACTS[name]

    async def use(home: LogHome) -> None:
        opened = open_log(home.folder)
        act.do(home)
        checkpoints = home.checkpoints()
        await opened.log.close()
        opened.engine.dispose()
        assert home.checkpoints() == checkpoints, "a damaged log was signed"
        await open_and_insist(home, act)

    with originals.copy("killed") as home:
        asyncio.run(use(home))
