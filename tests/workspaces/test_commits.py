"""What the agent committed comes out as checked objects, and becomes a branch where the person decided."""

import os
import subprocess
from pathlib import Path

import pytest
from workspaces.landed_commits import ABOUT, SESSION, Two, git, why

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits.branches import bring, fast_forward, is_free, make_branch, remove_refs
from daemon.workspaces.commits.commits import DETACHED, check
from daemon.workspaces.commits.host_git import Repository


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two.make(tmp_path)


def test_new_commits_come_below_refs_aileron_and_nothing_else_changes(two: Two) -> None:
    made = two.commit_file("c.txt")
    before, index = two.refs(), (two.person / ".git/index").read_bytes()
    checked = two.check()
    (branch,) = checked.branches
    assert (branch.ref, branch.old, branch.new, branch.forward) == ("refs/heads/main", two.commit, made, True)
    assert [commit.subject for commit in branch.commits] == ["adds c.txt"]
    assert branch.commits[0].author == "A <a@example.com>"
    assert two.bring() == {"refs/heads/main": f"refs/aileron/{SESSION}/heads/main"}
    assert two.refs() == before | {f"refs/aileron/{SESSION}/heads/main": made}
    assert git(two.person, "status", "--porcelain") == ""
    assert (two.person / ".git/index").read_bytes() == index
    assert list((two.person / ".git/objects/pack").glob("*.keep")) == []
    assert two.is_sound()


@pytest.mark.parametrize("name", ["with space", 'quo"te', "colon:semi;", "line\nend", "b\\ack", "\u00e9", "#x"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    two = Two.make(tmp_path / name)
    made = two.commit_file("c.txt")
    two.bring()
    assert two.refs()[f"refs/aileron/{SESSION}/heads/main"] == made


def test_without_anything_new_there_is_nothing_to_bring(two: Two) -> None:
    git(two.agent, "pack-refs", "--all")
    checked = two.check()
    assert checked.all() == ()
    assert two.bring() == {}


def test_a_branch_that_the_person_moved_on_is_not_news(two: Two) -> None:
    git(two.person, "branch", "other")
    git(two.agent, "branch", "other")
    git(two.agent, "pack-refs", "--all")
    git(two.person, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x")
    ahead = git(two.person, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x")
    git(two.person, "update-ref", "refs/heads/other", ahead)
    assert two.check().branches == ()


def test_a_rewritten_branch_does_not_go_forward_and_becomes_a_branch(two: Two) -> None:
    git(two.agent, "commit", "-q", "--amend", "-m", "rewritten")
    two.bring()
    (branch,) = two.check().branches
    assert not branch.forward
    with pytest.raises(Failure, match="does not go forward"):
        fast_forward(two.repository, branch, session=SESSION)
    assert make_branch(two.repository, "aileron/x", branch, session=SESSION) == "refs/heads/aileron/x"
    assert git(two.person, "rev-parse", "aileron/x") == branch.new


@pytest.mark.parametrize("name", ["main", "Main", "main/x", "-x", "a..b", "a@{1}", "x.lock", "HEAD", "a\u200bb", "a b"])
def test_a_branch_is_made_only_under_a_name_that_is_free_and_fit(two: Two, name: str) -> None:
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    before = two.refs()
    assert not is_free(two.repository, name)
    with pytest.raises(Failure):
        make_branch(two.repository, name, branch, session=SESSION)
    assert two.refs() == before


def test_a_branch_with_what_runs_later_is_made_only_when_each_path_was_named(two: Two) -> None:
    two.commit_file(".envrc")
    two.commit_file(".github/workflows/x.yml")
    (two.agent / ".envrc").unlink()
    two.commit_file("c.txt")
    two.bring()
    (branch,) = two.check().branches
    # Also after it was brought, and although a later commit deletes one again.
    assert {path for path, _ in branch.later} == {".envrc", ".github/workflows/x.yml"}
    for named in ((), (".envrc",)):
        with pytest.raises(Failure, match="said yes to") as failure:
            make_branch(two.repository, "x", branch, session=SESSION, yes_to=named)
        assert failure.value.failure_class is FailureClass.APPROVAL_DENIED
        with pytest.raises(Failure, match="said yes to"):
            fast_forward(two.repository, branch, session=SESSION, yes_to=named)
    make_branch(two.repository, "x", branch, session=SESSION, yes_to=(".envrc", ".github/workflows/x.yml"))


def test_what_the_person_only_fetched_is_not_taken_for_theirs(two: Two) -> None:
    made = two.commit_file(".envrc")
    two.bring()
    git(two.person, "update-ref", "refs/remotes/origin/main", made)
    (branch,) = two.check().branches
    assert branch.commits == ()
    assert [path for path, _ in branch.later] == [".envrc"]


def test_executables_and_links_that_lead_out_are_named(two: Two) -> None:
    (two.agent / "out").symlink_to("../../etc/passwd")
    two.commit_file("run.sh", mode=0o755)
    (branch,) = two.check().branches
    later = dict(branch.later)
    assert later.keys() == {"out", "run.sh"}
    assert later["out"].startswith("it is a link that leads out of the workspace")


def test_a_merge_of_what_the_person_has_names_nothing_of_theirs(two: Two) -> None:
    git(two.person, "checkout", "-qb", "tools")
    (two.person / ".envrc").write_text("theirs\n")
    git(two.person, "add", "-A")
    git(two.person, "commit", "-qm", "tools")
    git(two.person, "checkout", "-q", "main")
    git(two.agent, "fetch", "-q", str(two.person), "tools:tools")
    two.commit_file("c.txt")
    git(two.agent, "merge", "-q", "--no-ff", "-m", "merged", "tools")
    (branch,) = two.check().branches
    assert len(branch.commits) == 2
    assert branch.later == ()


def test_what_a_merge_itself_brings_in_is_named(two: Two) -> None:
    git(two.agent, "checkout", "-qb", "side")
    two.commit_file("d.txt")
    git(two.agent, "checkout", "-q", "main")
    two.commit_file("c.txt")
    git(two.agent, "merge", "-q", "--no-commit", "side")
    (two.agent / ".envrc").write_text("hidden in a merge\n")
    git(two.agent, "add", "-A")
    git(two.agent, "commit", "-qm", "merged")
    main = next(each for each in two.check().branches if each.ref == "refs/heads/main")
    assert [path for path, _ in main.later] == [".envrc"]


def test_a_start_that_the_persons_git_has_removed_is_no_hindrance(two: Two) -> None:
    git(two.agent, "commit", "-q", "--amend", "-m", "the agent's")
    made = two.commit_file("c.txt")
    git(two.person, "commit", "-q", "--amend", "-m", "mine")
    git(two.person, "reflog", "expire", "--expire=now", "--all")
    git(two.person, "gc", "-q", "--prune=now")
    (branch,) = two.check().branches
    assert (branch.new, branch.forward, branch.old) == (made, False, git(two.person, "rev-parse", "HEAD"))
    two.bring()
    assert two.is_sound()


def test_uncommitted_work_becomes_one_more_commit_in_the_name_of_the_person(two: Two) -> None:
    (two.agent / ".gitignore").write_text("*.log\n")
    made = two.commit_file("c.txt")
    (two.agent / "new.txt").write_text("new\n")
    (two.agent / "a.txt").unlink()
    (two.agent / "x.log").write_text("ignored\n")
    os.mkfifo(two.agent / "fifo")
    (two.agent / "kept").rename(two.agent / "moved")
    (two.agent / "kept").symlink_to("moved")
    git(two.agent, "init", "-q", "nested")
    (two.agent / "nested/file").write_text("not this one's\n")
    index = (two.agent / ".git/index").read_bytes()
    checked = two.check(snapshot=ABOUT)
    assert checked.snapshot is not None
    assert checked.nested == ("nested",)
    two.bring(snapshot=ABOUT)
    found = git(two.person, "show", "-s", "--format=%an|%ae|%cn|%at|%s|%P", f"refs/aileron/{SESSION}/snapshot")
    assert found == f"Pat|pat@example.com|Pat|1700000000|What was not committed|{made}"
    listed = git(two.person, "ls-tree", "-r", "--name-only", checked.snapshot.new).split()
    assert listed == [".gitignore", "c.txt", "kept", "moved/b.txt", "new.txt"]
    assert checked.snapshot.new == two.check(snapshot=ABOUT).snapshot.new  # type: ignore[union-attr]
    assert (two.agent / ".git/index").read_bytes() == index
    assert two.is_sound()


def test_without_uncommitted_work_there_is_no_snapshot(two: Two) -> None:
    assert two.check(snapshot=ABOUT).snapshot is None


def test_a_first_commit_and_a_snapshot_of_a_repository_without_one(tmp_path: Path) -> None:
    two = Two.make(tmp_path)
    for folder in (two.person, two.agent):
        subprocess.run(["rm", "-rf", str(folder / ".git")], check=True)
        git(folder, "init", "-q", "-b", "main")
    two.commit = ""
    checked = two.check(snapshot=ABOUT)
    assert checked.branches == ()
    assert checked.snapshot is not None
    two.bring(snapshot=ABOUT)
    assert git(two.person, "ls-tree", "-r", "--name-only", checked.snapshot.new).split() == ["a.txt", "kept/b.txt"]
    # The branch that is checked out is not free, although it has no commit.
    assert not is_free(two.repository, "main")
    with pytest.raises(Failure, match="already"):
        make_branch(two.repository, "main", checked.snapshot, session=SESSION)
    make_branch(two.repository, "other", checked.snapshot, session=SESSION)


def test_commits_on_no_branch_and_tags_come_along(two: Two) -> None:
    git(two.agent, "checkout", "-q", "--detach")
    made = two.commit_file("c.txt")
    git(two.agent, "tag", "-a", "v1", "-m", "v1")
    git(two.agent, "tag", "-a", "v2", "-m", "a tag of a tag", "v1")
    checked = two.check()
    assert checked.head == ""
    assert {each.ref for each in checked.branches} == {DETACHED, "refs/tags/v1", "refs/tags/v2"}
    two.bring()
    assert two.refs()[f"refs/aileron/{SESSION}/detached"] == made
    assert git(two.person, "rev-parse", f"refs/aileron/{SESSION}/tags/v2^{{commit}}") == made
    assert two.is_sound()


def test_bringing_again_follows_the_agent_also_where_names_are_in_the_way(two: Two) -> None:
    git(two.agent, "checkout", "-qb", "work")
    two.commit_file("c.txt")
    two.bring()
    git(two.agent, "checkout", "-q", "--detach")
    git(two.agent, "branch", "-D", "work")
    git(two.agent, "checkout", "-qb", "work/more")
    made = two.commit_file("d.txt")
    two.bring()
    ours = {ref: found for ref, found in two.refs().items() if ref.startswith("refs/aileron/")}
    assert ours == {f"refs/aileron/{SESSION}/heads/work/more": made}
    assert two.bring() == {"refs/heads/work/more": f"refs/aileron/{SESSION}/heads/work/more"}


@pytest.mark.parametrize("then", ["brought", "discarded"])
def test_a_pack_that_a_killed_landing_marked_is_not_kept_for_ever(two: Two, then: str) -> None:
    two.commit_file("c.txt")
    two.bring()
    (pack,) = (two.person / ".git/objects/pack").glob("*.pack")
    mark, other = pack.with_suffix(".keep"), pack.with_name("pack-0.keep")
    mark.write_text(f"aileron {SESSION}\n")
    other.write_text("somebody else's\n")
    if then == "brought":
        two.bring()
    else:
        remove_refs(two.repository, SESSION)
    assert not mark.exists()
    assert other.exists()


def test_what_is_thrown_away_leaves_no_ref(two: Two) -> None:
    two.commit_file("c.txt")
    git(two.agent, "tag", "v1")
    before = two.refs()
    two.bring()
    assert remove_refs(two.repository, "ses_") == 0
    assert remove_refs(two.repository, SESSION) == 2
    assert two.refs() == before


def test_repositories_with_longer_ids_work(tmp_path: Path) -> None:
    two = Two.make(tmp_path, "--object-format=sha256")
    made = two.commit_file("c.txt")
    assert len(made) == 64
    two.bring()
    (branch,) = two.check().branches
    fast_forward(two.repository, branch, session=SESSION)
    assert git(two.person, "rev-parse", "HEAD") == made
    assert two.is_sound()


def test_a_shallow_clone_works_and_stays_shallow(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    deep = Two.make(tmp_path / "deep")
    (deep.person / "a.txt").write_text("changed\n")
    git(deep.person, "commit", "-qam", "second")
    two = Two.make(tmp_path)
    for folder in (two.person, two.agent):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{deep.person}", str(two.person))
    subprocess.run(["cp", "-a", str(two.person), str(two.agent)], check=True)
    two.commit = git(two.person, "rev-parse", "HEAD")
    made = two.commit_file("c.txt")
    two.bring()
    assert two.refs()[f"refs/aileron/{SESSION}/heads/main"] == made
    assert git(two.person, "rev-list", "--count", made) == "2"
    assert two.is_sound()


def test_commits_in_a_submodule_land_in_the_submodule(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Two.make(tmp_path / "other")
    two = Two.make(tmp_path)
    git(two.person, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.person), "lib")
    git(two.person, "commit", "-qm", "with a submodule")
    subprocess.run(["rm", "-rf", str(two.agent)], check=True)
    subprocess.run(["cp", "-a", str(two.person), str(two.agent)], check=True)
    two.commit = git(two.person, "rev-parse", "HEAD")
    (two.agent / "lib" / "c.txt").write_text("in the submodule\n")
    git(two.agent / "lib", "add", "-A")
    git(two.agent / "lib", "commit", "-qm", "inside")
    made = git(two.agent / "lib", "rev-parse", "HEAD")
    theirs = Repository(two.person / ".git/modules/lib", two.person / ".git/modules/lib")
    packed = two.pack(repository=theirs, place=str(two.agent / "lib"))
    checked = check(theirs, packed, tmp_path / "q", start_branch="refs/heads/main", start_commit="", reasons=why)
    bring(theirs, checked, SESSION)
    (branch,) = checked.branches
    fast_forward(theirs, branch, session=SESSION)
    assert git(two.person / "lib", "rev-parse", "HEAD") == made
    # In the one that holds it, the uncommitted work is that the submodule is at another commit.
    outer = two.check(snapshot=ABOUT)
    assert outer.snapshot is not None
    assert outer.repositories == ("lib",)
    assert outer.nested == ()


def test_commits_in_a_worktree_land_in_the_repository_it_belongs_to(tmp_path: Path) -> None:
    two = Two.make(tmp_path)
    git(two.person, "worktree", "add", "-q", "-b", "side", "../tree")
    git(two.agent, "worktree", "add", "-q", "-b", "side", "../theirs")
    (tmp_path / "theirs" / "c.txt").write_text("text\n")
    git(tmp_path / "theirs", "add", "-A")
    git(tmp_path / "theirs", "commit", "-qm", "in the worktree")
    theirs = Repository(two.person / ".git/worktrees/tree", two.person / ".git")
    packed = two.pack(repository=theirs, place=str(tmp_path / "theirs"))
    checked = check(
        theirs, packed, tmp_path / "q", start_branch="refs/heads/side", start_commit=two.commit, reasons=why
    )
    bring(theirs, checked, SESSION)
    (branch,) = checked.branches
    fast_forward(theirs, branch, session=SESSION)
    assert git(tmp_path / "tree", "log", "-1", "--format=%s") == "in the worktree"
    assert git(two.person, "rev-parse", "main") == two.commit
    assert git(tmp_path / "tree", "diff", "--cached", "--name-only") == ""


def test_an_executable_bit_and_a_deletion_in_a_snapshot_are_told_as_what_they_are(two: Two) -> None:
    (two.agent / "a.txt").chmod(0o755)
    (two.agent / "kept/b.txt").unlink()
    snapshot = two.check(snapshot=ABOUT).snapshot
    assert snapshot is not None
    assert dict(snapshot.later) == {"a.txt": "it may be executed, which it could not before"}


def test_a_full_disk_or_a_missing_right_is_told_in_words(two: Two) -> None:
    two.commit_file("c.txt")
    packed = two.pack()
    (two.folder / "quarantine").write_text("a file in the way\n")
    with pytest.raises(Failure, match="could not be landed"):
        two.check(packed)
