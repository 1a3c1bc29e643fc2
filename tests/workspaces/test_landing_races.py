"""The person works on while files land: what they wrote last is there afterwards, whatever the moment."""

import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from workspaces.landing_room import At, LandingRoom
from workspaces.layered import write

from daemon.workspaces.landed import Ending, Landed, LandingError, NotUndone

MOMENTS = (
    "landing.begun", "landing.staged_one", "landing.staged", "landing.written_down", "landing.before_step",
    "landing.compared", "landing.taken", "landing.after_step", "landing.done", "landing.synced", "landing.committed",
)  # fmt: skip


@pytest.fixture
def room(tmp_path: Path) -> LandingRoom:
    return LandingRoom(tmp_path)


def _saved_by_rename(place: Path, content: str) -> None:
    """Save as most editors do."""
    draft = place.with_name(place.name + "~")
    draft.write_text(content)
    draft.replace(place)


def _saved_in_place(place: Path, content: str) -> None:
    """Save as the others do."""
    place.write_text(content)


@pytest.mark.parametrize("save", [_saved_by_rename, _saved_in_place])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_the_person_saves_while_a_file_lands_is_what_is_there_afterwards(
    room: LandingRoom, moment: str, save: Callable[[Path, str], None]
) -> None:
    room.has("file", "old")
    room.wrote("file", "agent")
    room.show()
    act = At(moment, lambda: save(room.person / "file", "mine"))
    landed = room.land(faults=act)
    assert act.done
    # A save while the old file is out of its place may go to the agent's, as any later save would; it stays, too.
    assert (room.person / "file").read_text() == "mine"
    assert not room.leftovers()
    if landed.conflicts:
        (conflict,) = landed.conflicts
        assert (room.layer.kept / conflict.kept).read_text() == "agent"


def test_an_edit_that_keeps_the_size_and_the_time_of_the_file_is_seen(room: LandingRoom) -> None:
    place = room.has("file", "old")
    os.utime(place, (1_000_000, 1_000_000))
    room.wrote("file", "agent")
    room.show()

    def edit() -> None:
        place.write_text("own")
        os.utime(place, (1_000_000, 1_000_000))

    landed = room.land(faults=At("landing.before_step", edit))
    assert [each.path for each in landed.conflicts] == ["file"]
    assert place.read_text() == "own"


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_the_person_saves_while_it_is_deleted_is_there_afterwards(room: LandingRoom, moment: str) -> None:
    room.has("file", "old")
    room.deleted("file")
    room.show()
    act = At(moment, lambda: _saved_by_rename(room.person / "file", "mine"))
    room.land(faults=act)
    if act.done:
        assert (room.person / "file").read_text() == "mine"
    else:
        assert moment == "landing.staged_one"  # nothing is staged for what only goes
    assert not room.leftovers()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_file_the_person_makes_where_a_new_one_lands_is_there_afterwards(room: LandingRoom, moment: str) -> None:
    room.wrote("folder/file", "agent")
    room.show()

    def make() -> None:
        write(room.person / "folder/file", "mine", 0o644)

    act = At(moment, make)
    room.land(faults=act)
    if act.done:
        assert (room.person / "folder/file").read_text() == "mine"
    else:
        assert moment in {"landing.compared", "landing.taken"}  # nothing is taken out for what only comes
    assert not room.leftovers()


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_the_person_deletes_while_it_lands_is_no_failure(room: LandingRoom, moment: str) -> None:
    room.has("folder/file", "old")
    room.has("folder/stays", "old")
    room.wrote("folder/file", "agent")
    room.show()
    act = At(moment, (room.person / "folder/file").unlink)
    room.land(faults=act)
    assert act.done
    assert not (room.person / "folder/file").exists() or moment == "landing.taken"
    assert (room.person / "folder/stays").read_text() == "old"
    assert not room.leftovers()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_folder_that_becomes_a_link_while_files_land_lets_nothing_out(
    room: LandingRoom, tmp_path: Path, moment: str
) -> None:
    for name in ("a", "b", "c"):
        room.has(f"folder/{name}", "old")
        room.wrote(f"folder/{name}", "agent")
    room.wrote("folder/new", "agent")
    room.show()
    outside = tmp_path / "outside"

    def swap() -> None:
        (room.person / "folder").rename(outside)
        (room.person / "folder").symlink_to(outside)

    act = At(moment, swap, count=2 if moment in {"landing.before_step", "landing.compared"} else 1)
    landed = room.land(faults=act)
    if moment in {"landing.done", "landing.synced", "landing.committed"}:
        return  # it had landed by then, and the person moved what landed
    assert act.done
    assert not landed.paths
    assert {path.name: path.read_text() for path in outside.iterdir()} == dict.fromkeys("abc", "old")
    assert not room.leftovers()


def test_a_program_that_still_writes_to_the_old_file_loses_nothing(room: LandingRoom) -> None:
    room.has("log", "old\n")
    room.wrote("log", "agent\n")
    room.show()
    with (room.person / "log").open("a") as log:

        def write_on() -> None:
            log.write("late\n")
            log.flush()

        landed = room.land(faults=At("landing.committed", write_on))
    (late,) = landed.late
    assert (room.layer.kept / late.kept).read_text() == "old\nlate\n"
    assert (room.person / "log").read_text() == "agent\n"


def test_what_went_for_something_that_could_not_come_is_back(room: LandingRoom) -> None:
    room.has("thing", "old")
    room.wrote("thing/inner", "agent")
    room.show()

    def spoil() -> None:
        # The staged folder disappears: what stands for any reason why the second step of a change fails.
        for slot in room.person.glob(".aileron-landing-*/*"):
            if slot.is_dir():
                slot.rmdir()

    landed = room.land(faults=At("landing.taken", spoil))
    assert {each.path for each in landed.conflicts} == {"thing", "thing/inner"}
    assert (room.person / "thing").read_text() == "old"
    assert not room.leftovers()


def test_a_failure_undoes_around_what_the_person_changed_meanwhile(room: LandingRoom) -> None:
    room.has("one", "old")
    room.has("two", "old")
    for name in ("one", "two", "three"):
        room.wrote(name, "agent")
    room.show()

    def fail() -> None:
        (room.person / "one").write_text("mine")
        raise OSError(28, "No space left on device")

    with pytest.raises(LandingError, match="'one'"):
        room.land(faults=At("landing.done", fail))
    assert {path.name: path.read_text() for path in room.person.iterdir()} == {"one": "mine", "two": "old"}
    kept = [path for path in room.layer.kept.rglob("one") if path.is_file()]
    assert [path.read_text() for path in kept] == ["old"]
    assert not room.leftovers()


def test_a_landing_that_cannot_be_undone_now_is_undone_at_the_next_start(room: LandingRoom) -> None:
    room.has("file", "old")
    room.wrote("file", "agent")
    room.wrote("new", "agent")
    room.show()
    before = room.tree()

    class FailingDisk:
        def hit(self, name: str) -> None:
            if name in {"landing.done", "landing.before_undo"}:
                raise OSError(5, "Input/output error")

    with pytest.raises(NotUndone, match="Restart the daemon"):
        room.land(faults=FailingDisk())
    assert room.layer.journal.exists()
    with pytest.raises(NotUndone):
        room.recover(faults=FailingDisk())
    assert room.recover().ending is Ending.UNDONE
    assert room.tree() == before
    assert not room.leftovers()


def test_the_persons_git_and_a_landing_at_the_same_time_lose_nothing(room: LandingRoom) -> None:
    git = ["git", "-C", str(room.person), "-c", "user.name=Me", "-c", "user.email=me@example.com"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(room.person)], check=True)
    for number in range(40):
        room.has(f"src/{number}", "main\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "main"], check=True)
    subprocess.run([*git, "checkout", "-qb", "other"], check=True)
    for number in range(40):
        room.has(f"src/{number}", "other\n")
    subprocess.run([*git, "commit", "-qam", "other"], check=True)
    room.begin()
    for number in range(40):
        room.wrote(f"src/{number}", "agent\n")
    shown = [change for change in room.show() if change.path.startswith("src/")]
    stop = threading.Event()
    switched = threading.Thread(target=_switch_branches, args=(git, stop))
    switched.start()
    try:
        landed: Landed = room.land(changes=shown)
    finally:
        stop.set()
        switched.join()
    assert len(landed.paths) + len(landed.conflicts) == 40
    for number in range(40):
        assert (room.person / f"src/{number}").read_text() in {"main\n", "other\n", "agent\n"}
    assert not room.leftovers()
    subprocess.run([*git, "fsck", "--strict"], check=True, capture_output=True)


def _switch_branches(git: list[str], stop: threading.Event) -> None:
    for branch in itertools.cycle(("main", "other")):
        if stop.is_set():
            return
        subprocess.run([*git, "checkout", "-qf", branch], check=False, capture_output=True)


def test_two_landings_of_two_layers_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    one, other = LandingRoom(tmp_path / "one"), LandingRoom(tmp_path / "other")
    shutil.rmtree(other.person)
    other.person = one.person
    for number in range(30):
        one.has(f"file-{number}", "old")
    one.begin()
    other.begin()
    for number in range(30):
        one.wrote(f"file-{number}", "one")
        other.wrote(f"file-{number}", "other")
    one.show()
    other.show()
    results: list[Landed] = []
    threads = [threading.Thread(target=lambda room=room: results.append(room.land())) for room in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = sorted(results, key=lambda each: len(each.paths))
    assert not first.paths
    assert len(first.conflicts) == len(second.paths) == 30
    assert len({(one.person / f"file-{number}").read_text() for number in range(30)}) == 1


def test_two_landings_of_one_layer_land_each_change_once(room: LandingRoom) -> None:
    for number in range(30):
        room.has(f"file-{number}", "old")
        room.wrote(f"file-{number}", "agent")
        room.wrote(f"new-{number}", "agent")
    room.show()
    results: list[Landed] = []
    threads = [threading.Thread(target=lambda: results.append(room.land())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each.paths) for each in results) == [0, 60]
    assert sorted(len(each.conflicts) for each in results) == [0, 60]
    assert not room.leftovers()


def test_a_landing_beside_a_loop_of_edits_never_loses_the_last_one(room: LandingRoom) -> None:
    names = [f"file-{number}" for number in range(60)]
    for name in names:
        room.has(name, "old")
        room.wrote(name, "agent")
    room.show()
    last: dict[str, str] = {}
    stop = threading.Event()

    def edit() -> None:
        for number, name in enumerate(itertools.cycle(reversed(names))):
            if stop.is_set():
                return
            _saved_by_rename(room.person / name, f"mine {number}")
            last[name] = f"mine {number}"

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        landed = room.land()
    finally:
        stop.set()
        editor.join()
    for name in names:
        assert (room.person / name).read_text() == last.get(name, "agent")
    assert {each.path for each in (*landed.paths, *landed.conflicts)} == set(names)
