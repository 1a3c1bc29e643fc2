"""What an agent may put into packs and names of branches: none of it reaches the person's repository."""

import contextlib
import hashlib
import io
import os
import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workspaces.hostile_objects import FILE, blob, git_pack, head, put, tree
from workspaces.landed_commits import ABOUT, SESSION, Two, git, told

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits.branches import bring
from daemon.workspaces.commits.commits import CheckBounds
from daemon.workspaces.commits.pack_sizes import PackBounds, check_sizes
from daemon.workspaces.commits.ref_names import problem


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


def test_objects_that_are_missing_are_noticed(two: Two) -> None:
    lost = blob(two, b"lost\n")
    made = put(two, tree(two, [(FILE, "a", lost)]))
    pack = git_pack(two, [made, git(two.agent, "rev-parse", f"{made}^{{tree}}")])
    packed = told(two.folder, pack, head([("refs/heads/main", made)]))
    with pytest.raises(Failure):
        two.check(packed)
    assert two.is_sound()


def test_a_branch_of_which_the_pack_says_nothing_is_left_out(two: Two) -> None:
    packed = told(two.folder, b"", head([("refs/heads/main", "1" * 40)], pack=False))
    checked = two.check(packed)
    assert checked.branches == ()
    assert checked.left_out == (("refs/heads/main", "its commit is not there"),)


def test_a_branch_at_a_file_or_a_folder_is_left_out(two: Two) -> None:
    for name, found in (("file", blob(two, b"x\n")), ("folder", f"{two.commit}^{{tree}}")):
        (two.agent / ".git/refs/heads" / name).write_text(git(two.agent, "rev-parse", found) + "\n")
        (two.agent / ".git/refs/tags" / name).write_text(git(two.agent, "rev-parse", found) + "\n")
    checked = two.check()
    assert checked.branches == ()
    assert {ref for ref, _ in checked.left_out} == {
        f"refs/{kind}/{name}" for kind in ("heads", "tags") for name in ("file", "folder")
    }


@pytest.mark.parametrize(
    "name",
    [
        *("../../hooks/x", "..", "a..b", "@{1}", "a@{-1}", "-x", "x.lock", "a/.b", "a//b", "/a", "a/", "HEAD", "@"),
        *(
            "a b",
            "a\nb",
            "a\x1b]0;x\x07",
            "a\u202eb",
            "a\u200bb",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "x" * 300,
        ),
        *("refs/heads/x", "a.", "a/-b"),
    ],
)
def test_a_branch_with_a_hostile_name_is_left_out_and_the_rest_comes(two: Two, name: str) -> None:
    assert problem(name) is not None
    made = two.commit_file("c.txt")
    packed = two.pack()
    with packed.open() as file:
        pack = file.read(packed.size)
    checked = two.check(told(two.folder, pack, head([("refs/heads/main", made), (f"refs/heads/{name}", made)])))
    assert [each.ref for each in checked.branches] == ["refs/heads/main"]
    assert [ref for ref, _ in checked.left_out] == [f"refs/heads/{name}"]


def test_a_branch_whose_name_is_no_text_is_left_out_and_the_rest_comes(two: Two) -> None:
    made = two.commit_file("c.txt")
    (two.agent / ".git/refs/heads/\udcff").write_text(f"{made}\n")
    checked = two.check()
    assert [each.ref for each in checked.branches] == ["refs/heads/main"]
    assert checked.left_out == (("refs/heads/\\xff", "its name is not UTF-8"),)


@pytest.mark.parametrize("ref", ["HEAD", "refs/remotes/origin/x", "refs/aileron/ses_2/heads/x", "refs/stash", "x", ""])
def test_only_branches_and_tags_are_brought(two: Two, ref: str) -> None:
    made = two.commit_file("c.txt")
    packed = two.pack()
    with packed.open() as file:
        pack = file.read(packed.size)
    checked = two.check(told(two.folder, pack, head([(ref, made)])))
    brought = bring(two.repository, checked, SESSION)
    assert set(brought.values()) <= {f"refs/aileron/{SESSION}/detached"}
    assert two.is_sound()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="aB9-_./@{}~^:*[\\ \u00e9\u200b\n", max_size=12), min_size=20, max_size=20))
def test_a_name_that_is_taken_is_one_that_git_takes(names: list[str]) -> None:
    for name in names:
        if problem(name) is None:
            subprocess.run(["git", "check-ref-format", "--branch", name], check=True, capture_output=True)


def test_what_is_said_of_a_pack_is_read_with_care(two: Two) -> None:
    made = two.commit_file("c.txt")
    for said in (
        "",
        "[]",
        '{"refs": 1}',
        head([("x", "no id")]),
        head([("x", made)])[:-1],
        head([("x", made)], more=1),
    ):
        with pytest.raises(Failure):
            told(two.folder, b"x", said)
    with pytest.raises(Failure):
        told(two.folder, b"", head([("refs/heads/main", made)], pack=True))


def test_a_pack_with_any_byte_changed_lands_nothing_else_than_what_it_says(two: Two) -> None:
    made = two.commit_file("c.txt", "some text that is long enough\n" * 20)
    packed = two.pack()
    with packed.open() as file:
        pack = bytearray(file.read(packed.size))
    before, chance = two.refs(), random.Random(4)
    for _ in range(12):
        place = chance.randrange(len(pack))
        spoiled = bytes(pack[:place]) + bytes([pack[place] ^ (1 << chance.randrange(8))]) + bytes(pack[place + 1 :])
        with pytest.raises(Failure):
            two.check(told(two.folder, spoiled, head([("refs/heads/main", made)])))
    for cut in (0, 1, 11, 12, 40, len(pack) - 21, len(pack) - 1):
        with pytest.raises(Failure):
            two.check(told(two.folder, bytes(pack[:cut]) or b"x", head([("refs/heads/main", made)])))
    with pytest.raises(Failure):
        two.check(told(two.folder, bytes(pack) + b"more", head([("refs/heads/main", made)])))
    assert two.refs() == before
    assert two.is_sound()


def test_a_pack_of_zeros_that_stands_for_gigabytes_is_refused_before_git_unpacks_it(two: Two) -> None:
    pack = bomb(entry(3, 3 * 1024**3, zlib.compress(bytes(1024), 9)))
    with pytest.raises(Failure, match="at most 1073741824 may land") as failure:
        two.check(told(two.folder, pack, head([("refs/heads/main", "1" * 40)])))
    assert failure.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED


def test_many_objects_that_together_stand_for_gigabytes_are_refused(two: Two) -> None:
    zeros = entry(3, 4 * 1024**2, zlib.compress(bytes(4 * 1024**2), 9))
    bounds = CheckBounds(pack=PackBounds(unpacked_bytes=10 * 1024**2))
    with pytest.raises(Failure, match="stand for more than"):
        two.check(told(two.folder, bomb(zeros, zeros, zeros), head([("refs/heads/main", "1" * 40)])), bounds=bounds)


def test_a_difference_that_stands_for_gigabytes_is_refused(two: Two) -> None:
    difference = number(10) + number(5 * 1024**3) + b"\x90\x0a"
    pack = bomb(
        entry(3, 10, zlib.compress(bytes(10))), entry(7, len(difference), bytes(20) + zlib.compress(difference))
    )
    with pytest.raises(Failure, match="may land"):
        two.check(told(two.folder, pack, head([("refs/heads/main", "1" * 40)])))


def test_a_pack_with_more_objects_or_bytes_than_allowed_is_refused(two: Two) -> None:
    two.commit_file("c.txt")
    for bounds in (CheckBounds(pack=PackBounds(objects=1)), CheckBounds(pack_bytes=10)):
        with pytest.raises(Failure) as failure:
            two.check(bounds=bounds)
        assert failure.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=200) | st.integers(1, 300_000).map(bytes), max_size=5),
    st.integers(0, 400),
    st.integers(0, 255),
)
def test_sizes_in_a_pack_are_added_up_or_the_pack_is_refused(contents: list[bytes], place: int, byte: int) -> None:
    pack = bytearray(bomb(*(entry(3, len(each), zlib.compress(each)) for each in contents)))
    assert check_sizes(reader(bytes(pack)), len(pack), id_bytes=20, bounds=PackBounds()) == len(contents)
    if place < len(pack):
        pack[place] = byte
    with contextlib.suppress(Failure):  # nothing else comes out of it
        assert check_sizes(reader(bytes(pack)), len(pack), id_bytes=20, bounds=PackBounds(unpacked_bytes=10_000)) >= 0


def test_forged_indexes_and_graphs_of_the_agent_decide_nothing(two: Two) -> None:
    made = two.commit_file("c.txt")
    git(two.agent, "commit-graph", "write", "--reachable")
    git(two.agent, "gc", "-q")
    graph = two.agent / ".git/objects/info/commit-graph"
    graph.chmod(0o644)
    graph.write_bytes(b"CGPH" + bytes(200))
    git(two.agent, "replace", made, two.commit)
    (two.agent / ".git/index").write_bytes(b"DIRC" + bytes(100))
    (two.agent / "new.txt").write_text("new\n")
    checked = two.check(snapshot=ABOUT)
    assert checked.branches[0].new == made
    assert checked.snapshot is not None
    bring(two.repository, checked, SESSION)
    assert git(two.person, "ls-tree", "--name-only", checked.snapshot.new).split() == [
        "a.txt",
        "c.txt",
        "kept",
        "new.txt",
    ]


def test_git_folders_that_cannot_be_read_are_a_failure_in_words(two: Two) -> None:
    moved = two.agent / "moved"
    (two.agent / ".git").rename(moved)
    spoiled: list[Callable[[], object]] = [
        lambda: None,
        lambda: os.mkfifo(two.agent / ".git"),
        lambda: (two.agent / ".git").write_text("gitdir: /nowhere\n"),
        lambda: (two.agent / ".git").write_text("x" * 10_000),
        lambda: (two.agent / ".git").symlink_to("/proc"),
    ]
    for spoil in spoiled:
        spoil()
        with pytest.raises(Failure, match="cannot be packed"):
            two.pack()
        (two.agent / ".git").unlink(missing_ok=True)
    (two.agent / ".git").write_text("gitdir: moved\n")
    (moved / "reftable").mkdir()
    with pytest.raises(Failure, match="reftable, which is not supported"):
        two.pack()


def entry(kind: int, size: int, rest: bytes) -> bytes:
    """Write the head of an object in a pack, and what follows."""
    first, size = kind << 4 | size & 15, size >> 4
    return bytes([first | (0x80 if size else 0)]) + (number(size) if size else b"") + rest


def number(value: int) -> bytes:
    """Write a number as packs have it."""
    raw = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        raw.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(raw)


def reader(raw: bytes) -> io.BytesIO:
    """Return a pack as a file."""
    return io.BytesIO(raw)


def bomb(*entries: bytes) -> bytes:
    """Write a pack."""
    raw = b"PACK" + struct.pack(">II", 2, len(entries)) + b"".join(entries)
    return raw + hashlib.sha1(raw, usedforsecurity=False).digest()
