"""No program that anybody's configuration names is run while commits land, nor by the person's git afterwards.

Each place in which git's configuration can name a program names a canary, which leaves a mark.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from workspaces.landed_commits import ABOUT, SESSION, Two, git

from daemon.workspaces.commits.branches import bring, fast_forward, make_branch, remove_refs

HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg"),
    *("commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-receive", "update"),
    *("proc-receive", "post-receive", "post-update", "reference-transaction", "push-to-checkout", "pre-auto-gc"),
    *("post-rewrite", "sendemail-validate", "fsmonitor-watchman", "post-index-change"),
)
KEYS = (
    *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.alternateRefsCommand"),
    *("core.gitProxy", "diff.external", "diff.x.textconv", "diff.x.command", "merge.x.driver", "filter.x.clean"),
    *("filter.x.smudge", "filter.x.process", "gpg.program", "gpg.ssh.program", "gpg.x509.program", "credential.helper"),
    *("uploadpack.packObjectsHook", "sequence.editor", "pager.log", "pager.status", "interactive.diffFilter"),
    *("remote.origin.uploadpack", "remote.origin.vcs", "submodule.x.update", "trailer.x.command", "man.x.cmd"),
)


class Canary:
    """A program that leaves a mark when it is run."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "sang"
        self.program = folder / "canary"
        self.program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{self.mark}'\nexit 1\n")
        self.program.chmod(0o755)

    def sit_in(self, repository: Path) -> None:
        """Put it wherever the configuration of a repository can name a program."""
        for hook in HOOKS:
            (repository / ".git/hooks").mkdir(exist_ok=True)
            place = repository / ".git/hooks" / hook
            place.unlink(missing_ok=True)
            place.symlink_to(self.program)
        for key in KEYS:
            git(repository, "config", key, str(self.program))
        for key, value in (
            ("commit.gpgSign", "true"),
            ("log.showSignature", "true"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.promisor", "true"),
            ("remote.origin.url", f"ext::{self.program}"),
            ("protocol.ext.allow", "always"),
            ("core.logAllRefUpdates", "always"),
        ):
            git(repository, "config", key, value)
        (repository / ".git/info").mkdir(exist_ok=True)
        (repository / ".git/info/attributes").write_text("* filter=x diff=x merge=x\n")

    def sang(self) -> str:
        """Return what ran; empty for nothing."""
        return self.mark.read_text() if self.mark.exists() else ""


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path)


def everything(two: Two) -> None:
    """Land in every way that there is."""
    checked = two.check(snapshot=ABOUT)
    bring(two.repository, checked, SESSION)
    (branch,) = checked.branches
    assert checked.snapshot is not None
    make_branch(two.repository, "new", checked.snapshot, session=SESSION)
    fast_forward(two.repository, branch, session=SESSION)
    remove_refs(two.repository, SESSION)
    assert git(two.person, "rev-parse", "main") == branch.new


def work(two: Two) -> None:
    two.commit_file("c.txt")
    (two.agent / "d.txt").write_text("not committed\n")


def test_the_canary_sings_where_git_is_asked_the_ordinary_way(two: Two, canary: Canary) -> None:
    canary.sit_in(two.person)
    git(two.person, "status", check=False)
    git(two.person, "update-ref", "refs/heads/x", "HEAD", check=False)
    sang = canary.sang()
    assert "reference-transaction" in sang
    assert str(canary.program) in sang


def test_nothing_that_the_agents_configuration_names_is_run(two: Two, canary: Canary) -> None:
    work(two)
    canary.sit_in(two.agent)
    everything(two)
    assert canary.sang() == ""


def test_nothing_that_the_persons_own_configuration_names_is_run(two: Two, canary: Canary) -> None:
    work(two)
    canary.sit_in(two.person)
    everything(two)
    assert canary.sang() == ""


def test_nothing_that_the_persons_environment_and_global_configuration_name_is_run(
    two: Two, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(two)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for key in KEYS:
        git(home, "config", "--file", str(home / ".gitconfig"), key, str(canary.program))
    for name in ("GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_SSH", "GIT_EDITOR", "GIT_PAGER", "GIT_ASKPASS", "PAGER"):
        monkeypatch.setenv(name, str(canary.program))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    everything(two)
    assert canary.sang() == ""


def test_a_configuration_that_includes_a_file_of_the_home_is_no_hindrance(two: Two, canary: Canary) -> None:
    work(two)
    git(two.person, "config", "include.path", "~/is-not-there")
    git(two.person, "config", "core.excludesFile", "~/is-not-there")
    everything(two)


@pytest.mark.parametrize(
    "ordinary",
    [("status",), ("log", "-p", "--all"), ("diff", "HEAD~1"), ("checkout", "-q", "new"), ("gc", "-q"), ("fsck",)],
    ids=lambda words: words[0],
)
def test_nothing_of_the_agents_runs_when_the_person_uses_git_afterwards(
    two: Two, canary: Canary, ordinary: tuple[str, ...]
) -> None:
    work(two)
    canary.sit_in(two.agent)
    everything(two)
    git(two.person, "reset", "-q", "--hard")
    git(two.person, *ordinary)
    assert canary.sang() == ""


def test_nothing_but_what_was_decided_is_new_in_the_persons_repository(two: Two, canary: Canary) -> None:
    work(two)
    canary.sit_in(two.agent)
    before = listing(two.person)
    bring(two.repository, two.check(), SESSION)
    new = {path for path, about in listing(two.person).items() if before.get(path) != about}
    ours = (f".git/refs/aileron/{SESSION}/", ".git/objects/pack/pack-")
    assert {path for path in new if not path.startswith(ours)} == set()
    assert {Path(path).suffix for path in new if path.startswith(ours[1])} == {".pack", ".idx"}


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return every file below a folder, with what it is."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        seen = path.lstat()
        content: Callable[[], object] = path.read_bytes if stat.S_ISREG(seen.st_mode) else lambda: None
        if not stat.S_ISDIR(seen.st_mode):
            found[os.path.relpath(path, folder)] = (seen.st_mode, content())
    return found
