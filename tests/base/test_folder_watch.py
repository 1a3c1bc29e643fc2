"""A change in a folder is told, once for what comes together, and nothing is done while nothing changes."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from daemon.base import folder_watch
from daemon.base.folder_watch import FolderWatch
from daemon.base.inotify import Inotify
from daemon.base.tasks import TaskSet

LIMIT = 10.0
NEVER = 3600.0


class Told:
    """Counts what a watch tells."""

    def __init__(self, watch: FolderWatch) -> None:
        self.watch = watch
        self.times = 0
        self.ready = asyncio.Event()
        self._more = asyncio.Event()

    async def follow(self) -> None:
        async with aclosing(self.watch.changes()) as changes:
            async for _ in changes:
                self.times += 1
                self._more.set()

    async def next(self) -> None:
        """Wait until it has told something that it had not told before."""
        async with asyncio.timeout(LIMIT):
            await self._more.wait()
        self._more.clear()


@asynccontextmanager
async def followed(folder: Path, **seconds: float) -> AsyncIterator[Told]:
    told = Told(FolderWatch(folder, **({"make_sure_seconds": NEVER, "look_seconds": NEVER} | seconds)))
    tasks = TaskSet()
    tasks.start(told.follow(), name="follow")
    told.watch.nudge()  # when this one is told, the watch is in its place
    await told.next()
    try:
        yield told
    finally:
        await tasks.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "actions"
    made.mkdir()
    (made / "one.md").write_text("one")
    return made


def renamed_over(folder: Path) -> None:
    (folder / ".one.md.swp").write_text("edited")
    (folder / ".one.md.swp").rename(folder / "one.md")


def replaced(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    (folder / "two.md").write_text("two")


def exchanged_for_a_link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def written_in_place(folder: Path) -> None:
    with (folder / "one.md").open("a") as file:
        file.write("more")


CHANGES: dict[str, Callable[[Path], object]] = {
    "an editor's rename": renamed_over,
    "written in place": written_in_place,
    "a deletion": lambda folder: (folder / "one.md").unlink(),
    "permissions": lambda folder: (folder / "one.md").chmod(0o600),
    "a marker beside it": lambda folder: (folder / "one.disabled").touch(),
    "the folder replaced": replaced,
    "the folder removed": shutil.rmtree,
    "the folder exchanged for a link": exchanged_for_a_link,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_kind_of_change_is_told_by_the_kernel_without_a_look(
    folder: Path, change: Callable[[Path], object]
) -> None:
    async with followed(folder) as told:
        change(folder)
        await told.next()


async def test_what_happens_in_a_folder_that_took_the_place_of_another_is_told_too(folder: Path) -> None:
    async with followed(folder) as told:
        replaced(folder)
        await told.next()
        (folder / "three.md").write_text("three")
        await told.next()


async def test_a_hundred_files_at_once_are_one_change(folder: Path) -> None:
    async with followed(folder) as told:
        before = told.times
        for number in range(100):
            (folder / f"new-{number}.md").write_text("text" * 200)
        await told.next()
        await asyncio.sleep(0.5)
        assert told.times == before + 1


async def test_what_happens_beside_the_folder_is_no_change_of_it(folder: Path) -> None:
    async with followed(folder) as told:
        before = told.times
        (folder.parent / "aileron.db-wal").write_text("a change of the database")
        await asyncio.sleep(0.3)
        assert told.times == before


async def test_a_folder_that_never_rests_is_told_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_watch, "_LONGEST_SECONDS", 0.2)
    async with followed(folder) as told:

        async def write() -> None:
            while True:
                written_in_place(folder)
                await asyncio.sleep(0.01)

        tasks = TaskSet()
        tasks.start(write(), name="write")
        await told.next()
        await told.next()
        await tasks.close()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def no_room(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def no_notifier(*_: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(("place", "fault"), [("watch", no_room), ("__init__", no_notifier)])
async def test_where_the_kernel_has_no_watch_to_give_the_folder_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, fault: Callable[..., object]
) -> None:
    before = open_descriptors()
    monkeypatch.setattr(Inotify, place, fault)
    async with followed(folder, look_seconds=0.02) as told:
        renamed_over(folder)
        await told.next()
        told_before = told.times
        await asyncio.sleep(0.2)
        assert told.times == told_before  # a look that finds nothing new tells nothing
        # Soon there is room again; then nobody has to look.
        monkeypatch.undo()
        await asyncio.sleep(0.2)
        told.watch._look_seconds = NEVER
        (folder / "one.md").unlink()
        await told.next()
    assert open_descriptors() <= before + 1  # every descriptor was given back


async def a_link(folder: Path) -> Path:
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


async def a_network_file_system(folder: Path) -> Path:
    return folder


@pytest.mark.parametrize("other", [a_link, a_network_file_system])
async def test_a_link_and_a_network_file_system_are_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch, other: Callable[[Path], Awaitable[Path]]
) -> None:
    if other is a_network_file_system:
        monkeypatch.setattr(folder_watch, "network_filesystem", lambda _path: "nfs4")
    async with followed(await other(folder), look_seconds=0.02) as told:
        renamed_over(folder)
        await told.next()


async def test_a_folder_that_is_not_there_yet_is_noticed_when_it_comes(tmp_path: Path) -> None:
    async with followed(tmp_path / "later", look_seconds=0.02) as told:
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "one.md").touch()
        await told.next()


async def test_a_change_that_the_kernel_does_not_tell_is_found_after_a_while(folder: Path) -> None:
    twin = folder.with_name("twin.md")
    os.link(folder / "one.md", twin)
    async with followed(folder, make_sure_seconds=0.05) as told:
        before = told.times
        twin.write_text("written under its other name")
        await told.next()
        assert told.times > before
