"""What an agent may put into trees: none of it reaches the person's repository, or only when it was named."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces.hostile_objects import FILE, FOLDER, LINK, MODULE, blob, is_refused, put, tree
from workspaces.landed_commits import SESSION, Two, git

from daemon.core.failures import Failure
from daemon.workspaces.commits.trees import Findings, check_tree, read_tree

NEVER = [
    *(
        ".git",
        ".GIT",
        ".Git",
        ".g\u200cit",
        ".git\u200f",
        "git~1",
        "GIT~1",
        ".git.",
        ".git ",
        ".git::$INDEX_ALLOCATION",
    ),
    *("..", ".", "", "a/b", "/etc", ".git\\config"),
]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("kind", [FOLDER, LINK])
def test_a_name_that_becomes_a_repository_or_leads_elsewhere_never_lands(two: Two, name: str, kind: str) -> None:
    found = blob(two, b"kept") if kind == LINK else tree(two, [(FILE, "config", blob(two, b"x\n"))])
    put(two, tree(two, [(kind, name, found)]))
    is_refused(two)


@pytest.mark.parametrize("name", NEVER)
def test_our_own_look_at_trees_finds_each_name_without_gits_help(name: str) -> None:
    raw = f"{FILE} ".encode() + name.encode() + b"\0" + bytes(20)
    with pytest.raises(Failure):
        check_tree(read_tree(raw, 20), Findings())


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\rb", "a\x7f", "x" * 256, "x" * 4096])
def test_a_name_with_line_ends_or_escapes_or_too_long_is_not_new(two: Two, name: str) -> None:
    put(two, tree(two, [(FILE, name, blob(two, b"x\n"))]))
    is_refused(two, "cannot land|longer")


def test_a_path_of_more_than_4096_bytes_is_not_new(two: Two) -> None:
    found, mode = blob(two, b"x\n"), FILE
    for _ in range(21):
        found, mode = tree(two, [(mode, "x" * 200, found)]), FOLDER
    put(two, found)
    is_refused(two, "longer than 4096")


@pytest.mark.parametrize(
    "names", [("README", "readme"), ("A", "a"), ("b", "b\u200b"), ("\u00e9", "e\u0301"), ("c", "c.")]
)
def test_two_names_that_some_file_system_takes_for_one_are_not_new(two: Two, names: tuple[str, str]) -> None:
    text = blob(two, b"x\n")
    put(two, tree(two, [(FILE, name, text) for name in sorted(names, key=os.fsencode)]))
    is_refused(two, "differs from")


def test_two_such_names_that_the_person_has_already_are_no_hindrance(two: Two) -> None:
    for folder in (two.person, two.agent):
        (folder / "kept" / "X").write_text("x\n")
        (folder / "kept" / "x").write_text("x\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "twins", GIT_AUTHOR_DATE="@0 +0000", GIT_COMMITTER_DATE="@0 +0000")
    two.commit = git(two.person, "rev-parse", "HEAD")
    assert two.commit == git(two.agent, "rev-parse", "HEAD")
    made = two.commit_file("kept/b.txt", "changed\n")
    two.bring()
    assert two.refs()[f"refs/aileron/{SESSION}/heads/main"] == made


@pytest.mark.parametrize("what", ["twice", "unsorted", "mode", "damaged", "zero"])
def test_a_tree_that_git_would_not_write_does_not_land(two: Two, what: str) -> None:
    text = blob(two, b"x\n")
    entries = {
        "twice": [(FILE, "a", text), (FILE, "a", text)],
        "unsorted": [(FILE, "b", text), (FILE, "a", text)],
        "mode": [("104755", "a", text)],
        "damaged": [(FILE, "a", text[:-2])],
        "zero": [(FILE, "a", "0" * 40)],
    }[what]
    made = tree(two, entries)
    raw = f"tree {made}\nparent {two.commit}\nauthor A <a@x> 0 +0000\ncommitter A <a@x> 0 +0000\n\nx\n".encode()
    commit = git(two.agent, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw)
    (two.agent / ".git/refs/heads/main").write_text(f"{commit}\n")
    is_refused(two)


@pytest.mark.parametrize("name", [".gitmodules", ".GITMODULES", ".gitattributes", ".gitignore", ".mailmap"])
def test_a_link_in_place_of_what_git_obeys_does_not_land(two: Two, name: str) -> None:
    put(two, tree(two, [(LINK, name, blob(two, b"kept/b.txt"))]))
    is_refused(two)


@pytest.mark.parametrize(
    ("lines", "fine"),
    [
        ("url = -u./payload", False),
        ("url = https://example.com/%0ahost=evil", False),
        ("path = -x\n\turl = ./x", False),
        ("update = !payload", False),
        ("url = ext::sh -c payload", True),
        ("url = ./x", True),
    ],
)
def test_a_submodule_is_named_and_one_that_names_a_program_is_refused(two: Two, lines: str, fine: bool) -> None:
    content = f'[submodule "x"]\n\tpath = x\n\t{lines}\n'.encode()
    put(two, tree(two, [(FILE, ".gitmodules", blob(two, content)), (MODULE, "x", two.commit)]))
    if fine:
        checked = two.check()
        assert ".gitmodules" in dict(checked.branches[0].later)
        assert checked.repositories == ("x",)
    else:
        is_refused(two)


def test_a_submodule_whose_name_leads_elsewhere_does_not_land(two: Two) -> None:
    put(two, tree(two, [(FILE, ".gitmodules", blob(two, b'[submodule "../x"]\n\tpath = x\n\turl = ./x\n'))]))
    is_refused(two)


def test_a_folder_that_looks_like_a_repository_lands_by_name_only(two: Two) -> None:
    head, config = blob(two, b"ref: refs/heads/x\n"), blob(two, b"[core]\n\tfsmonitor = ./payload\n")
    keep = tree(two, [(FILE, "keep", blob(two, b""))])
    bare = tree(
        two, [(FILE, "HEAD", head), (FILE, "config", config), (FOLDER, "objects", keep), (FOLDER, "refs", keep)]
    )
    put(two, tree(two, [(FOLDER, "vendor", bare)]))
    later = dict(two.check().branches[0].later)
    assert later.keys() >= {"vendor/HEAD", "vendor/objects/keep", "vendor/refs/keep"}
    assert "looks like a git repository" in later["vendor/HEAD"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "kept/../../x", "C:\\x"])
def test_a_link_that_leads_out_lands_by_name_only(two: Two, target: str) -> None:
    put(two, tree(two, [(LINK, "out", blob(two, target.encode()))]))
    assert "link" in dict(two.check().branches[0].later)["out"]


@given(st.binary(max_size=120), st.sampled_from([20, 32]))
def test_a_tree_of_any_bytes_is_read_or_refused(raw: bytes, id_bytes: int) -> None:
    with contextlib.suppress(Failure):
        entries = read_tree(raw, id_bytes)
        again = b"".join(
            each.mode.encode() + b" " + each.name.encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(each.id)
            for each in entries
        )
        check_tree(entries, Findings())
        assert again == raw
