"""What became of the person's side since the start is told by the kernel's times, git's index and what landed."""

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces.layered import SECOND, Layered

from daemon.workspaces.layers.layer import Start
from daemon.workspaces.looking import clocks
from daemon.workspaces.looking.base import Now, Then, clock_was_set, judge, same
from daemon.workspaces.values import Act, Entry, Kind

entries = st.none() | st.builds(
    Entry,
    kind=st.sampled_from([Kind.FILE, Kind.LINK, Kind.FOLDER, Kind.OTHER]),
    executable=st.booleans(),
    digest=st.sampled_from(["", "a", "b"]),
)


@given(entries, entries, st.sampled_from(list(Then)))
def test_nothing_of_the_persons_is_replaced_or_deleted_without_a_conflict_unless_it_is_known_to_be_as_it_was(
    agent: Entry | None, person: Entry | None, then: Then
) -> None:
    verdict = judge(agent, person, then)
    if verdict is not None and person is not None and not verdict.conflict:
        assert then is Then.UNCHANGED
    if verdict is not None and person is None and then is Then.CHANGED:
        assert verdict.conflict


@given(entries, entries, st.sampled_from(list(Then)))
def test_the_same_on_both_sides_is_no_change_and_everything_else_is_one(
    agent: Entry | None, person: Entry | None, then: Then
) -> None:
    verdict = judge(agent, person, then)
    assert (verdict is None) == same(agent, person)
    if verdict is not None:
        expected = Act.ADDED if person is None else Act.DELETED if agent is None else Act.MODIFIED
        assert verdict.act is expected


@given(entries)
def test_what_was_not_read_is_never_the_same_as_anything(entry: Entry | None) -> None:
    unread = Entry(kind=Kind.FILE, digest="")
    assert not same(unread, unread)
    assert not same(unread, entry)


START = Start(wall_ns=1000 * SECOND, boot_ns=10 * SECOND, boot_id="one")


@pytest.mark.parametrize(
    ("wall", "boot", "boot_id", "was_set"),
    [
        (1100, 110, "one", False),
        (1100, 110, "two", True),
        (1000, 110, "one", True),
        (1099.5, 110, "one", True),
        (1200, 110, "one", False),
    ],
)
def test_a_clock_that_was_set_back_is_noticed_and_one_set_forward_does_not_matter(
    wall: float, boot: float, boot_id: str, was_set: bool
) -> None:
    now = Now(wall_ns=int(wall * SECOND), boot_ns=int(boot * SECOND), boot_id=boot_id)
    assert clock_was_set(START, now) is was_set


@pytest.fixture
def layered(tmp_path: Path) -> Layered:
    """Return a layer over a folder with one file that the agent changed."""
    layered = Layered(tmp_path)
    layered.has("file.txt", "person's")
    layered.wrote("file.txt", "agent's")
    return layered


def conflict(layered: Layered, path: str = "file.txt", now: Now | None = None) -> str:
    return {change.path: change for change in layered.look(now=now).items}[path].conflict


def test_a_clock_that_was_set_back_makes_everything_a_conflict_that_differs(layered: Layered) -> None:
    assert not conflict(layered)
    start = layered.start
    now = Now(wall_ns=start.wall_ns, boot_ns=start.boot_ns + 60 * SECOND, boot_id=start.boot_id)
    assert "nobody can tell" in conflict(layered, now=now)
    assert "nobody can tell" in conflict(
        layered, now=Now(start.wall_ns + SECOND, SECOND, "another start of the machine")
    )


def test_a_change_of_the_persons_is_seen_whatever_time_they_give_the_file(layered: Layered) -> None:
    layered.begin(after=0)
    place = layered.person / "file.txt"
    place.write_text("changed")
    os.utime(place, ns=(0, 0))
    assert conflict(layered)


def test_what_landed_and_was_not_touched_since_is_as_it_was(layered: Layered) -> None:
    layered.begun_before()
    assert conflict(layered)
    (change,) = layered.look().items
    assert change.person is not None
    layered.landed = {"file.txt": change.person.digest}
    assert not conflict(layered)
    layered.has("file.txt", "changed after landing")
    assert conflict(layered)


def test_the_execute_bit_of_a_file_that_landed_is_not_taken_back_from_the_person(layered: Layered) -> None:
    layered.begun_before()
    (change,) = layered.look().items
    assert change.person is not None
    layered.landed = {"file.txt": change.person.digest}
    (layered.person / "file.txt").chmod(0o755)
    assert conflict(layered)


def test_a_file_that_landed_and_was_deleted_by_the_person_is_a_conflict(layered: Layered) -> None:
    layered.landed = {"file.txt": "0" * 64}
    (layered.person / "file.txt").unlink()
    assert "deleted in your folder" in conflict(layered)
    layered.landed = {"file.txt": "-"}
    assert not conflict(layered)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(params=["2", "4"])
def tracked(tmp_path: Path, request: pytest.FixtureRequest) -> Layered:
    """Return a layer over a repository, begun long ago, with the copy of its index."""
    layered = Layered(tmp_path)
    git(layered.person, "init", "-q")
    git(layered.person, "config", "index.version", request.param)
    for name in ("file.txt", "other/file.txt", "gone.txt", "linked"):
        layered.has(name, name)
    (layered.person / "linked").unlink()
    (layered.person / "linked").symlink_to("file.txt")
    git(layered.person, "add", "-A")
    git(layered.person, "commit", "-qm", "first")
    (layered.folder / "index").write_bytes((layered.person / ".git" / "index").read_bytes())
    layered.start = dataclasses.replace(layered.start, has_index=True)
    layered.begun_before()
    return layered


def test_a_tracked_file_that_was_only_touched_is_as_it_was(tracked: Layered) -> None:
    for name in ("file.txt", "other/file.txt"):
        tracked.wrote(name, "agent's")
        (tracked.person / name).chmod(0o600)
    (tracked.upper / "linked").symlink_to("other/file.txt")
    found = tracked.changes()
    assert not any(change.conflict for change in found.values()), found


def test_a_tracked_file_whose_content_changed_is_a_conflict_also_with_its_old_time(tracked: Layered) -> None:
    tracked.wrote("file.txt", "agent's")
    place = tracked.person / "file.txt"
    before = place.stat()
    place.write_text("FILE.TXT")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert conflict(tracked)


def test_a_tracked_file_that_was_written_again_with_the_same_is_a_conflict_because_nobody_knows(
    tracked: Layered,
) -> None:
    tracked.wrote("file.txt", "agent's")
    place = tracked.person / "file.txt"
    place.write_text("file.txt")
    os.utime(place, ns=(0, 0))
    assert "nobody can tell" in conflict(tracked)


def test_a_tracked_file_that_the_person_deleted_is_a_conflict_and_a_new_name_is_not(tracked: Layered) -> None:
    (tracked.person / "gone.txt").unlink()
    tracked.wrote("gone.txt", "agent's")
    tracked.wrote("new.txt", "agent's")
    assert "deleted in your folder" in conflict(tracked, "gone.txt")
    assert not conflict(tracked, "new.txt")


def test_an_index_that_is_damaged_is_said_and_not_believed(tracked: Layered) -> None:
    (tracked.folder / "index").write_bytes(b"DIRC\0\0\0\x02\xff\xff\xff\xff" + b"\0" * 40)
    tracked.wrote("file.txt", "agent's")
    found = tracked.look()
    assert found.items[0].conflict
    assert "index" in found.not_seen[0]


def test_the_clocks_of_now_are_those_that_were_read_at_the_start() -> None:
    now = clocks.now()
    assert not clock_was_set(Start(wall_ns=now.wall_ns, boot_ns=now.boot_ns, boot_id=now.boot_id), clocks.now())
