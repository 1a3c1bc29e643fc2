"""What git needs of a folder is found, opened and mounted where git inside looks for it; and nothing else is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePath

import pytest
from workspaces.conftest import Machine
from world import ROOT

from daemon.core.failures import Failure
from daemon.workspaces.layers.inside import may_be_mounted, seen_from
from daemon.workspaces.layers.off_limits import MountPoint, OffLimits, mounted_below
from daemon.workspaces.layers.repository import find
from daemon.workspaces.layers.site import Site, resurvey, survey


@pytest.fixture
def look(machine: Machine) -> Iterator["type[None]"]:
    """Offer `survey`, and close what it opened."""
    opened: list[Site] = []

    def run(folder: Path, off_limits: OffLimits | None = None) -> Site:
        opened.append(survey(folder, off_limits or machine.off_limits))
        return opened[-1]

    yield run  # type: ignore[misc]
    for site in opened:
        site.close()


def test_a_folder_without_a_repository_is_the_workspace_as_it_is(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    site = look(machine.project)
    assert (site.work.path, site.subfolder, site.git_folder, site.notes) == (machine.project, "", None, [])
    assert [part.name for part in site.parts()] == ["work"]


def test_a_repository_tells_its_branch_and_commit(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    machine.repository()
    commit = machine.git("rev-parse", "HEAD")
    site = look(machine.project)
    assert (site.branch, site.commit, site.git_folder) == ("refs/heads/main", commit, ".git")
    machine.git("pack-refs", "--all")
    assert look(machine.project).commit == commit
    machine.git("checkout", "-q", "--detach")
    assert (look(machine.project).branch, look(machine.project).commit) == ("", commit)
    machine.git("checkout", "-q", "--orphan", "new/born")
    assert (look(machine.project).branch, look(machine.project).commit) == ("refs/heads/new/born", "")


def test_a_subfolder_is_worked_on_in_the_whole_repository(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    machine.repository()
    (machine.project / "a" / "b").mkdir(parents=True)
    site = look(machine.project / "a" / "b")
    assert (site.work.path, site.subfolder) == (machine.project, "a/b")
    assert site.folder_inside == "/workspace/a/b"


def test_in_a_home_that_is_a_repository_only_the_folder_itself_is_taken(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    machine.repository(machine.person)
    site = look(machine.project)
    assert (site.work.path, site.git_folder) == (machine.project, None)
    assert "no git inside" in site.notes[0]


@pytest.mark.parametrize("relative", [False, True])
def test_a_worktree_gets_the_repository_where_its_file_says_it_is(machine: Machine, look, relative: bool) -> None:  # type: ignore[no-untyped-def]
    machine.repository()
    tree = machine.person / "tree"
    machine.git("worktree", "add", "-q", "-b", "side", str(tree))
    if relative:
        (tree / ".git").write_text("gitdir: ../project/.git/worktrees/tree\n")
    site = look(tree)
    assert site.git is not None
    assert site.git.path == machine.project / ".git"
    assert site.git_inside == ("/project/.git" if relative else str(machine.project / ".git"))
    assert (site.git_folder, site.branch) == ("worktrees/tree", "refs/heads/side")
    assert site.commit == machine.git("rev-parse", "side")
    copied = machine.folder / "index"
    assert site.copy_index(copied, most=10_000)
    assert copied.read_bytes() == (machine.project / ".git/worktrees/tree/index").read_bytes()
    assert not site.copy_index(copied, most=10)
    with closing(resurvey(site.parts(), "", machine.off_limits)) as again:
        assert again.parts() == site.parts()


def test_a_git_file_that_names_somebody_else_s_repository_is_not_followed(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    secret = machine.repository(machine.person / "secret")
    machine.git("worktree", "add", "-q", str(machine.person / "tree"), at=secret)
    for written in (secret / ".git", secret / ".git" / "worktrees" / "tree", "../secret/.git", "/", "nowhere", ""):
        (machine.project / ".git").write_text(f"gitdir: {written}\n")
        site = look(machine.project)
        assert (site.git, site.git_folder, site.borrowed) == (None, None, [])
        assert "no git inside" in site.notes[0]


def test_a_folder_that_is_a_link_by_now_is_not_followed(machine: Machine) -> None:
    (machine.person / "link").symlink_to(machine.project)
    with pytest.raises(Failure, match="replaced by a link"):
        survey(machine.person / "link", machine.off_limits)


def swap_while_looked_for(by: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a link to another folder in the place of the one whose repository is looked for, while that is done."""

    def swapped(folder: Path) -> object:
        folder.rename(machine.person / "aside")
        folder.symlink_to(by)
        try:
            return find(folder)
        finally:
            folder.unlink()
            (machine.person / "aside").rename(folder)

    monkeypatch.setattr("daemon.workspaces.layers.site.find", swapped)


def test_a_worktree_that_is_swapped_while_it_is_looked_for_brings_no_other_repository_in(
    machine: Machine, look, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    secret = machine.repository(machine.person / "secret")
    theirs = machine.person / "theirs"
    machine.git("worktree", "add", "-q", "-b", "side", str(theirs), at=secret)

    swap_while_looked_for(theirs, machine, monkeypatch)
    site = look(machine.project)
    assert (site.git, site.git_folder) == (None, None)
    assert "changed while it was looked at" in site.notes[0]


def test_a_folder_that_is_a_link_while_its_repository_is_looked_for_proposes_nothing_of_where_it_leads(
    machine: Machine, look, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    theirs = machine.repository(machine.person / "theirs")
    (theirs / ".git").rename(theirs / "store")
    (theirs / ".git").write_text("gitdir: store\n")

    swap_while_looked_for(theirs, machine, monkeypatch)
    site = look(machine.project)
    assert (site.git, site.git_folder) == (None, None)
    assert "not in this folder" in site.notes[0]


def test_a_git_file_that_leads_in_a_circle_is_not_followed(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    (machine.project / "one").symlink_to("two")
    (machine.project / "two").symlink_to("one")
    (machine.project / "repository").mkdir()
    for written, common in (("one/x", None), ("repository", "../one/x")):
        (machine.project / ".git").write_text(f"gitdir: {written}\n")
        if common is not None:
            (machine.project / "repository" / "commondir").write_text(common)
        site = look(machine.project)
        assert (site.git, site.git_folder) == (None, None)
        assert "no git inside" in site.notes[0]


def test_a_git_that_is_a_link_is_not_followed(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    secret = machine.repository(machine.person / "secret")
    (machine.project / ".git").symlink_to(secret / ".git")
    site = look(machine.project)
    assert site.git_folder is None
    (note,) = site.notes
    assert note.startswith(f"{machine.project}/.git is a symbolic link, so git may not work inside, and no commit")


def test_a_submodule_is_worked_on_in_the_repository_that_holds_it(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    part = machine.repository(machine.person / "part")
    machine.repository()
    machine.git("submodule", "--quiet", "add", str(part), "lib/part")
    (machine.project / "lib" / "part" / "src").mkdir()
    site = look(machine.project / "lib" / "part" / "src")
    assert (site.work.path, site.subfolder, site.git_folder) == (machine.project, "lib/part/src", ".git")
    # One that was taken out of its repository names another one, which is not followed.
    shutil.move(machine.project / "lib" / "part", machine.person / "alone")
    (machine.person / "alone" / ".git").write_text(f"gitdir: {machine.project}/.git/modules/lib/part\n")
    site = look(machine.person / "alone")
    assert (site.work.path, site.git_folder) == (machine.person / "alone", None)


def test_borrowed_objects_are_opened_and_nothing_that_is_no_folder_of_objects(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    lender = machine.repository(machine.person / "lender")
    machine.git("clone", "-q", "--shared", str(lender), str(machine.person / "borrower"))
    (machine.person / ".ssh").mkdir()
    alternates = machine.person / "borrower/.git/objects/info/alternates"
    alternates.write_text(alternates.read_text() + f"{machine.person}/.ssh\n{machine.home}\n/none\n# a word\n")
    site = look(machine.person / "borrower")
    assert [(each.opened.path, each.inside) for each in site.borrowed] == [
        (lender / ".git/objects", str(lender / ".git/objects"))
    ]
    assert len(site.notes) == 3


def test_a_repository_of_another_owner_above_is_not_taken(
    machine: Machine, look, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    machine.repository(machine.folder)
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    import os

    if os.getuid() == 0:
        os.chown(machine.project, 1000, 1000)
        os.chown(machine.person, 1000, 1000)
        assert look(machine.project).git_folder is None


def test_another_repository_at_that_place_is_not_resumed_in(machine: Machine) -> None:
    machine.repository()
    tree = machine.person / "tree"
    machine.git("worktree", "add", "-q", "-b", "side", str(tree))
    with closing(survey(tree, machine.off_limits)) as site:
        parts = site.parts()
    (machine.project / ".git").rename(machine.project / "git-away")
    with pytest.raises(Failure, match="not where it was"):
        resurvey(parts, "", machine.off_limits)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/x",
        "/etc/x/y",
        "/opt/aileron/x",
        "/run/aileron/x",
        "/workspace/x",
        "/proc/1",
        "/tmp",
        "/home/agent",
        "/",
        "/x",
    ],
)
def test_nothing_is_mounted_over_what_belongs_to_the_container(path: str) -> None:
    assert not may_be_mounted(path)


def test_a_relative_path_is_seen_from_the_folder_and_never_above_the_root() -> None:
    assert seen_from("/workspace", "../a/.git") == "/a/.git"
    assert seen_from("/workspace", "../../../a") == "/a"
    assert seen_from("/workspace", "/home/me/.git") == "/home/me/.git"
    assert may_be_mounted("/home/me/project/.git")
    assert may_be_mounted("/tmp/x/.git")


def test_a_worktree_with_submodules_says_that_git_does_not_work_in_them(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    part = machine.repository(machine.person / "part")
    machine.repository()
    machine.git("submodule", "--quiet", "add", str(part), "lib")
    machine.git("commit", "-q", "-m", "with a submodule")
    tree = machine.person / "tree"
    machine.git("worktree", "add", "-q", "-b", "side", str(tree))
    assert look(tree).notes == []  # nothing was checked out of the submodule there
    machine.git("submodule", "--quiet", "update", "--init", at=tree)
    for folder in (tree, tree / "lib"):
        site = look(folder)
        assert (site.work.path, site.git_folder) == (tree, "worktrees/tree")
        (note,) = site.notes
        assert note.startswith(f"{tree} is a worktree with submodules. Git does not work in these inside")
    assert look(machine.project).notes == []


def test_what_is_mounted_below_is_named_once_and_only_the_outermost(machine: Machine) -> None:
    here = machine.project

    def mounted(*places: str) -> list[MountPoint]:
        return [MountPoint("0:1", PurePath("/"), PurePath(here, place)) for place in places]

    below = mounted_below(here, [*mounted("", "b", "b", "b/c", "b c", "a/d"), MountPoint("0:1", here, PurePath("/"))])
    assert below == (here / "a/d", here / "b", here / "b c")
    assert mounted_below(here, [MountPoint("0:1", PurePath("/"), PurePath(f"{here}-2/x"))]) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_launch_in_what_is_mounted_into_a_repository_takes_only_that(machine: Machine) -> None:
    machine.repository()
    inner = machine.project / "vendor" / "inner"
    inner.mkdir(parents=True)
    (machine.person / "other" / "deep").mkdir(parents=True)
    script = f"""
import pathlib, subprocess
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.site import survey
subprocess.run(["mount", "--bind", {str(machine.person / "other")!r}, {str(inner)!r}], check=True)
off_limits = OffLimits(homes=(), person=pathlib.Path({str(machine.person)!r}))
for folder in ("vendor", "vendor/inner", "vendor/inner/deep"):
    site = survey(pathlib.Path({str(machine.project)!r}) / folder, off_limits)
    print(site.work.path, site.git_folder, *site.mounted, "no git inside" in "".join(site.notes))
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"{machine.project} .git {inner} False",
        f"{inner} None True",
        f"{inner}/deep None True",
    ], done.stderr


def test_an_index_that_is_no_regular_file_is_not_copied_and_nobody_waits_for_it(machine: Machine, look) -> None:  # type: ignore[no-untyped-def]
    machine.repository()
    index, copied = machine.project / ".git" / "index", machine.folder / "copied"
    site = look(machine.project)
    index.unlink()
    assert not site.copy_index(copied, most=10_000)
    os.mkfifo(index)
    assert not site.copy_index(copied, most=10_000)
    index.unlink()
    index.symlink_to("/etc/passwd")
    assert not site.copy_index(copied, most=10_000)
