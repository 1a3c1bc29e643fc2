"""A landing is killed at every point and at random moments; then the folder is exactly as before, or exactly as after.

LANDING_KILLS says how many kills, LANDING_SEED which: python -m pytest tests/workspaces/test_landing_crashes.py
"""

import contextlib
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from workspaces.landing_room import LandingRoom, Tree, added, file_entry

import daemon
from daemon.base.faults import FaultPoints
from daemon.workspaces.landed import Ending, LandingError
from daemon.workspaces.values import Act, Change

KILLS = int(os.environ.get("LANDING_KILLS", "60"))
SEED = int(os.environ.get("LANDING_SEED", "20261125"))
_ANY_MOMENT = "any moment"
_LATEST_MS = 40.0


class Killer:
    """Ends the process at a point, at its n-th hit; notes the points that were passed."""

    def __init__(self, point: str = "", count: int = 0) -> None:
        self.point = point
        self.count = count
        self.passed: Counter[str] = Counter()

    def hit(self, name: str) -> None:
        """Count, and do not come back if it is the moment."""
        self.passed[name] += 1
        if name == self.point and self.passed[name] == self.count:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Cut:
    """Where a landing is killed, and where its recovery is, after that."""

    point: str
    count: int
    again: str = ""
    again_count: int = 0


def a_room(folder: Path, *, large: int = 0) -> LandingRoom:
    """Return a layer with every kind of change in it, shown."""
    room = LandingRoom(folder)
    for name in ("kept", "changed", "goes", "old-name", "file-to-folder", "tool"):
        room.has(name, f"{name} of the person")
    room.has("deep/er/changed", "old")
    room.has("deep/er/goes", "old", mode=0o600)
    room.has("whole/folder/goes/away", "old")
    (room.person / "whole/folder").chmod(0o750)
    room.has("folder-to-file/inner/file", "old")
    (room.person / "link-changes").symlink_to("kept")
    (room.person / "file-to-link").write_text("old")
    room.begin()
    room.wrote("changed", "new")
    room.deleted("goes")
    room.deleted("old-name")
    room.wrote("new-name", "old-name of the person")
    room.wrote("file-to-folder/a/b", "new")
    room.wrote("folder-to-file", "new")
    room.wrote("tool", "tool of the person", mode=0o755)
    room.wrote("deep/er/changed", "new")
    room.deleted("deep/er/goes")
    room.deleted("whole")
    room.wrote("fresh/folder/file", "new")
    (room.upper / "fresh/empty").mkdir()
    (room.upper / "link-changes").symlink_to("changed")
    (room.upper / "file-to-link").symlink_to("kept")
    for number in range(large):
        room.wrote(f"many/{number % 7}/{number}", "x" * number)
    room.show()
    return room


def plan(passed: Counter[str], undone: Counter[str]) -> Iterator[Cut]:
    """Yield cuts: each point at its first and last hit, each point of the recovery, and then at random."""
    draw = random.Random(SEED)
    for point, hits in passed.items():
        for count in sorted({1, hits}):
            yield Cut(point, count)
    for point, hits in undone.items():
        for count in sorted({1, hits}):
            yield Cut("landing.done", 1, point, count)
    yield Cut("landing.committed", 1, "landing.before_clear", 1)
    yield Cut("landing.committed", 1, "landing.retired", 1)
    while True:
        point = draw.choice([*passed, _ANY_MOMENT])
        again = draw.choice([*undone, _ANY_MOMENT, ""])
        yield Cut(point, draw.randint(1, passed.get(point, 1)), again, draw.randint(1, undone.get(again, 1)))


def in_child(work: Callable[[FaultPoints], object], point: str, count: int, draw: random.Random) -> bool:
    """Run something in a process of its own that is killed; return whether it was, before its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(Killer(point, count))
            code = 0
        finally:
            os._exit(code)
    if point == _ANY_MOMENT:
        time.sleep(draw.uniform(0, _LATEST_MS) / 1000)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "the landing failed by itself"
    return os.WIFSIGNALED(status)


def _rehearse(folder: Path) -> tuple[Tree, Tree, Counter[str], Counter[str]]:
    """Land once in peace, and undo once; return the folder before and after, and the points that were passed."""
    room = a_room(folder / "peace")
    before = room.tree()
    killer = Killer()
    landed = room.land(faults=killer)
    assert not landed.conflicts
    assert not landed.refused
    after = room.tree()
    assert after != before
    undone = Killer()
    other = a_room(folder / "undone")
    in_child(lambda faults: other.land(faults=faults), "landing.done", 1, random.Random())
    assert other.recover(faults=undone).ending is Ending.UNDONE
    assert other.tree() == before
    return before, after, killer.passed, undone.passed


def _check(room: LandingRoom, cut: Cut, before: Tree, after: Tree) -> Ending:
    had_begun = room.layer.journal.exists()
    ending = room.recover().ending
    now = room.tree()
    expected = {Ending.UNDONE: before, Ending.FINISHED: after}.get(ending)
    if expected is None:
        assert not had_begun or not room.layer.journal.exists()
        assert now in (before, after), f"{cut}: half of it landed"
    else:
        assert now == expected, f"{cut}: {ending}, but the folder is not as it should be"
    assert not room.leftovers(), cut
    assert room.recover().ending is Ending.NOTHING
    assert room.tree() == now
    return ending


@pytest.mark.timeout(max(300, 3 * KILLS))
def test_no_kill_leaves_anything_half_landed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, passed, undone = _rehearse(tmp_path)
    draw = random.Random(SEED)
    kills = 0
    endings: Counter[Ending] = Counter()
    for number, cut in enumerate(plan(passed, undone)):
        if kills >= KILLS:
            break
        room = a_room(tmp_path / str(number))
        kills += in_child(lambda faults, room=room: room.land(faults=faults), cut.point, cut.count, draw)
        if cut.again:
            kills += in_child(lambda faults, room=room: room.recover(faults=faults), cut.again, cut.again_count, draw)
        endings[_check(room, cut, before, after)] += 1
        shutil.rmtree(room.person.parent)
    with capsys.disabled():
        print(f"\nLANDING_SEED={SEED}: {kills} kills, {dict(endings)}")
    assert endings[Ending.UNDONE]
    assert endings[Ending.FINISHED]


def test_a_large_landing_that_is_killed_is_undone_or_finished(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    for number, point in enumerate(("landing.after_step", "landing.synced", "landing.retired")):
        room = a_room(tmp_path / str(number), large=200)
        before = room.tree()
        assert in_child(lambda faults, room=room: room.land(faults=faults), point, 1 if number else 150, draw)
        assert room.recover().ending is (Ending.FINISHED if number == 2 else Ending.UNDONE)
        assert (room.tree() == before) is (number < 2)
        assert not room.leftovers()


def test_a_landing_after_one_that_was_cut_off_waits_for_the_recovery(tmp_path: Path) -> None:
    room = a_room(tmp_path)
    assert in_child(lambda faults: room.land(faults=faults), "landing.done", 1, random.Random())
    with pytest.raises(LandingError, match="neither undone nor finished"):
        room.land()
    room.recover()
    assert not room.land().conflicts


def test_what_the_person_changed_after_a_cut_stays_and_what_lay_there_before_is_kept(tmp_path: Path) -> None:
    room = a_room(tmp_path)
    assert in_child(lambda faults: room.land(faults=faults), "landing.done", 1, random.Random())
    (room.person / "changed").write_text("mine")
    (room.person / "goes").write_text("mine")
    (room.person / "new-name").write_text("mine")
    recovered = room.recover()
    assert recovered.ending is Ending.UNDONE
    assert {each.path for each in recovered.left} == {"changed", "goes", "new-name"}
    kept = {each.path: (room.layer.kept / each.kept).read_text() for each in recovered.left if each.kept}
    assert kept == {"changed": "changed of the person", "goes": "goes of the person"}
    assert {(room.person / name).read_text() for name in ("changed", "goes", "new-name")} == {"mine"}


def test_a_commit_that_could_not_be_synced_is_not_believed_after_a_kill(tmp_path: Path) -> None:
    room = a_room(tmp_path)
    before = room.tree()
    synced = os.fsync

    def failing(descriptor: int) -> None:
        if b'"committed"' in room.layer.journal.read_bytes():
            raise OSError(errno.EIO, "Input/output error")
        synced(descriptor)

    def land(faults: FaultPoints) -> None:
        os.fsync = failing
        room.land(faults=faults)

    assert in_child(land, "landing.before_undo", 2, random.Random())
    assert room.recover().ending is Ending.UNDONE
    assert room.tree() == before
    assert not room.leftovers()


def test_a_damaged_journal_is_said_and_nothing_is_guessed(tmp_path: Path) -> None:
    room = a_room(tmp_path)
    assert in_child(lambda faults: room.land(faults=faults), "landing.done", 1, random.Random())
    room.layer.journal.write_bytes(b'{"begun": 1}\n')
    before = room.tree()
    with pytest.raises(LandingError, match="damaged"):
        room.recover()
    assert room.tree() == before


@pytest.mark.parametrize("side", ["person", "layer"])
def test_a_full_disk_on_either_side_undoes_everything(tmp_path: Path, side: str) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small file system, which needs root")
    room = LandingRoom(tmp_path)
    small = room.person if side == "person" else room.folder
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", str(small)], check=True)
    try:
        room.upper.mkdir(parents=True, exist_ok=True)
        room.has("changed", "old")
        room.begin()
        room.wrote("changed", "new")
        for number in range(2000 if side == "layer" else 40):
            room.wrote(f"new/{number}", "x" * (0 if side == "layer" else 50_000))
        room.show()
        if side == "layer":
            _fill(small)
        before = room.tree()
        with pytest.raises(LandingError, match="o space left"):
            room.land()
        assert room.tree() == before
        assert not room.leftovers()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def _fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def test_landing_into_a_folder_mounted_below_is_all_or_nothing_too(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test mounts a file system, which needs root")
    for number, point in enumerate(("", "landing.done", "landing.committed", "landing.retired")):
        room = LandingRoom(tmp_path / str(number))
        (room.person / "mounted").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(room.person / "mounted")], check=True)
        try:
            room.has("mounted/below/file", "old")
            room.has("file", "old")
            room.begin()
            room.wrote("mounted/below/file", "new")
            room.wrote("mounted/fresh", "new")
            room.wrote("file", "new")
            # A look calls what lies on another mount refused; landing does not depend on that.
            room.shown = (
                Change(path="file", act=Act.MODIFIED, agent=file_entry(b"new"), person=file_entry(b"old")),
                Change(
                    path="mounted/below/file", act=Act.MODIFIED, agent=file_entry(b"new"), person=file_entry(b"old")
                ),
                added("mounted/fresh", b"new"),
            )
            before = room.tree()
            if point:
                assert in_child(lambda faults, room=room: room.land(faults=faults), point, 1, random.Random())
                undone = room.recover().ending is Ending.UNDONE
                assert (room.tree() == before) is undone is (point == "landing.done")
            else:
                assert len(room.land().paths) == 3
            assert not room.leftovers()
        finally:
            subprocess.run(["umount", "-l", str(room.person / "mounted")], check=True)


def test_the_points_that_a_landing_passes_are_all_that_there_are(tmp_path: Path) -> None:
    _, _, passed, undone = _rehearse(tmp_path)
    named: set[str] = set()
    for path in (Path(daemon.__file__).parent / "workspaces").rglob("*.py"):
        named |= set(re.findall(r'faults\.hit\("(landing\.[a-z_]+)"\)', path.read_text()))
    assert set(passed) | set(undone) == named
