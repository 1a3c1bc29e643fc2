"""Git on this machine is bounded in time, memory and output, and ends with all that it started."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from workspaces.landed_commits import SESSION, Two, git

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits.branches import fast_forward, make_branch
from daemon.workspaces.commits.host_git import Bounds, HostGit, Repository
from daemon.workspaces.commits.owners import give


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(two: Two, tmp_path: Path) -> None:
    mark = tmp_path / "number"
    git(two.person, "config", "alias.wait", f"!sleep 600 & echo $! > {mark}; wait")
    slow = HostGit(git_dir=two.person / ".git", bounds=Bounds(seconds=0.5))
    with pytest.raises(Failure, match="took longer than") as failure:
        slow.run("wait")
    assert failure.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    started = int(mark.read_text())
    deadline = time.monotonic() + 10
    while _lives(started):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_with_too_much_to_say_is_ended(two: Two) -> None:
    (two.person / "big").write_bytes(os.urandom(300_000))
    found = git(two.person, "hash-object", "-w", "big")
    wordy = HostGit(git_dir=two.person / ".git", bounds=Bounds(output_bytes=100_000))
    with pytest.raises(Failure, match="more to say"):
        wordy.run("cat-file", "blob", found)


def test_memory_and_the_size_of_files_are_limited(two: Two) -> None:
    limits = "!cat /proc/self/limits"
    git(two.person, "config", "alias.limits", limits)
    said = HostGit(git_dir=two.person / ".git", bounds=Bounds(memory_bytes=2**31, file_bytes=2**20)).run("limits")
    found = {line[:25].strip(): line[25:].split()[0] for line in said.decode().splitlines()}
    assert found["Max address space"] == str(2**31)
    assert found["Max file size"] == str(2**20)
    assert found["Max core file size"] == "0"


def test_a_command_that_fails_is_a_failure_with_what_git_said(two: Two) -> None:
    with pytest.raises(Failure, match="git rev-parse failed: fatal"):
        HostGit.of(two.repository).run("rev-parse", "--verify", "nothing")


def test_without_git_it_is_said_what_to_do(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(two.folder))
    with pytest.raises(Failure, match="no git on this machine"):
        HostGit.of(two.repository).run("version")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_repository(two: Two) -> None:
    subprocess.run(["chown", "-R", "1000:1000", str(two.person)], check=True)
    made = two.commit_file("c.txt")
    theirs = Repository(two.person / ".git", two.person / ".git")
    assert theirs.owner == (1000, 1000)
    git(two.person, "-c", "safe.directory=*", "config", "core.logAllRefUpdates", "always")
    os.chown(two.person / ".git/config", 1000, 1000)
    two.bring()
    (branch,) = two.check().branches
    make_branch(theirs, "a/b", branch, session=SESSION)
    fast_forward(theirs, branch, session=SESSION)
    assert (two.person / ".git/refs/heads/a/b").read_text().strip() == made
    assert {path.stat().st_uid for path in two.person.rglob("*")} == {1000}


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("instead", ["nothing", "a file", "an empty folder"])
def test_a_repository_that_is_moved_away_meanwhile_is_a_refusal_in_words(two: Two, instead: str) -> None:
    place = two.person / ".git"
    place.rename(two.folder / "aside")
    if instead == "a file":
        place.touch()
    elif instead == "an empty folder":
        place.mkdir()
    git_there = HostGit.of(two.repository)
    for ask in (git_there.run, git_there.says):
        with pytest.raises(Failure, match=r"\.git was moved or replaced meanwhile") as refused:
            ask("for-each-ref")
        assert refused.value.failure_class is FailureClass.INVALID_ARGUMENTS


def test_what_is_gone_by_then_is_given_to_nobody(two: Two) -> None:
    repository = two.repository
    (two.person / ".git").rename(two.folder / "aside")
    give(repository, [two.person / ".git" / "packed-refs"])
