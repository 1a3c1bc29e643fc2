"""The branch that is checked out goes forward with the index, and never over what the person did meanwhile."""

import contextlib
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from workspaces.landed_commits import SESSION, Two, git

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits.branches import bring, fast_forward, remove_refs
from daemon.workspaces.commits.commits import Checked
from daemon.workspaces.commits.index_lock import locked_index, recover_index
from daemon.workspaces.values import Branch


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


def test_a_fast_forward_moves_the_branch_and_the_index_and_touches_no_file(two: Two) -> None:
    made = two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    fast_forward(two.repository, branch, session=SESSION)
    assert git(two.person, "rev-parse", "main") == made
    assert not (two.person / "c.txt").exists()
    assert git(two.person, "status", "--porcelain") == "D c.txt"
    (two.person / "c.txt").write_text("text\n")
    assert git(two.person, "status", "--porcelain") == ""
    fast_forward(two.repository, branch, session=SESSION)
    assert two.is_sound()


def test_a_fast_forward_finishes_what_a_kill_left_half_done(two: Two) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    git(two.person, "read-tree", "-i", "-m", two.commit, branch.new)
    assert git(two.person, "diff", "--cached", "--name-only") == "c.txt"
    fast_forward(two.repository, branch, session=SESSION)
    assert git(two.person, "rev-parse", "HEAD") == branch.new
    assert git(two.person, "diff", "--cached", "--name-only") == ""


@pytest.mark.parametrize("what", ["commits", "switches", "stages", "merges", "detaches", "renames"])
def test_no_fast_forward_over_what_the_person_did_meanwhile(two: Two, what: str) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    if what == "commits":
        git(two.person, "commit", "-q", "--allow-empty", "-m", "mine")
    elif what == "switches":
        git(two.person, "checkout", "-qb", "mine")
    elif what == "detaches":
        git(two.person, "checkout", "-q", "--detach")
    elif what == "renames":
        git(two.person, "branch", "-m", "main", "trunk")
        git(two.person, "symbolic-ref", "refs/heads/main", "refs/heads/trunk")
        git(two.person, "symbolic-ref", "HEAD", "refs/heads/main")
    elif what == "merges":
        (two.person / ".git/MERGE_HEAD").write_text(f"{two.commit}\n")
    else:
        (two.person / "a.txt").write_text("mine\n")
        git(two.person, "add", "a.txt")
    before, index = two.refs(), (two.person / ".git/index").read_bytes()
    with pytest.raises(Failure) as failure:
        fast_forward(two.repository, branch, session=SESSION)
    assert failure.value.failure_class is FailureClass.INVALID_ARGUMENTS
    assert two.refs() == before
    assert (two.person / ".git/index").read_bytes() == index


def test_a_fast_forward_that_fails_leaves_the_index_to_the_byte(two: Two) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    index = two.person / ".git/index"
    before = index.read_bytes()
    (two.person / ".git/refs/heads/main.lock").write_text("held by another\n")
    with pytest.raises(Failure, match="Git does not move"):
        fast_forward(two.repository, branch, session=SESSION)
    assert index.read_bytes() == before
    assert not list((two.person / ".git").glob("index?*"))


def test_what_the_person_commits_meanwhile_never_takes_in_the_agents_work(two: Two) -> None:
    made = two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    outcomes = set()
    for number in range(6):
        git(two.person, "reset", "-q", "--soft", two.commit)
        git(two.person, "read-tree", two.commit)
        with ThreadPoolExecutor(1) as threads:
            theirs = threads.submit(
                git, two.person, "commit", "-q", "--allow-empty", "-m", f"mine {number}", check=False
            )
            with contextlib.suppress(Failure):
                fast_forward(two.repository, branch, session=SESSION)
            theirs.result()
        mine = git(two.person, "log", "--format=%H", "--grep=mine").split()
        for commit in mine:
            held = "c.txt" in git(two.person, "ls-tree", "--name-only", commit).split()
            assert not held or made in git(two.person, "rev-list", commit).split()
        assert git(two.person, "diff", "--cached", "--name-only") == ""
        outcomes.add(len(mine))
    assert outcomes


@pytest.mark.slow
def test_after_a_kill_at_any_moment_landing_again_lands_the_same(two: Two) -> None:
    """A SIGKILL of the process that lands; git commands that it had started end by themselves, as they would."""
    made = two.commit_file("c.txt")
    checked = two.check()
    (branch,) = checked.branches
    kills, seed = int(os.environ.get("CRASH_KILLS", "40")) // 2, int(os.environ.get("CRASH_SEED", "11"))
    print(f"seed {seed}, {kills} kills")
    chance, cut_short = random.Random(seed), 0
    for _ in range(kills):
        git(two.person, "read-tree", two.commit)
        git(two.person, "update-ref", "refs/heads/main", two.commit)
        remove_refs(two.repository, SESSION)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                bring(two.repository, checked, SESSION)
                fast_forward(two.repository, branch, session=SESSION)
            os._exit(0)
        time.sleep(chance.random() * 0.2)
        os.kill(child, signal.SIGKILL)
        cut_short += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
        _land_again(two, checked, branch)
        assert git(two.person, "rev-parse", "HEAD") == made
        assert git(two.person, "diff", "--cached", "--name-only") == ""
        assert not list((two.person / ".git").glob("index?*"))
        assert not list((two.person / ".git/objects/pack").glob("*.keep"))
    assert cut_short
    assert two.is_sound()


def _land_again(two: Two, checked: Checked, branch: Branch) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            bring(two.repository, checked, SESSION)
            fast_forward(two.repository, branch, session=SESSION)
            return
        except Failure:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_lock_of_a_landing_that_was_killed_is_no_hindrance_and_one_of_gits_is(two: Two) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    lock = two.person / ".git/index.lock"
    lock.write_text("git's own\n")
    assert not recover_index(two.repository)
    with pytest.raises(Failure, match="A git command is at work"):
        fast_forward(two.repository, branch, session=SESSION)
    lock.unlink()
    with locked_index(two.repository):
        assert not recover_index(two.repository)
        left = lock.read_bytes()
    lock.write_bytes(left)
    assert recover_index(two.repository)
    lock.write_bytes(left)
    fast_forward(two.repository, branch, session=SESSION)
    assert not lock.exists()


@pytest.mark.parametrize("after", ["locked", "staged"])
def test_a_fast_forward_that_was_killed_is_finished_by_the_next(two: Two, after: str) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), locked_index(two.repository):
            if after == "staged":
                git(
                    two.person, "read-tree", "-i", "-m", two.commit, branch.new, GIT_INDEX_FILE=".git/index.aileron-new"
                )
                git_index = two.person / ".git/index.aileron-new"
                git_index.replace(two.person / ".git/index")
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (two.person / ".git/index.lock").exists()
    fast_forward(two.repository, branch, session=SESSION)
    assert git(two.person, "rev-parse", "HEAD") == branch.new
    assert git(two.person, "diff", "--cached", "--name-only") == ""
    assert not list((two.person / ".git").glob("index?*"))
