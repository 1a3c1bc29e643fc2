"""A daemon that is killed between the files and the branch: the next start finishes both, or neither has landed."""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspaces.copied_session import SESSION, CopiedSession
from workspaces.test_landing_crashes import Killer, in_child

from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.workspaces.decisions import Mode

BEFORE_FILES = ("commits.written_down", "landing.begun", "landing.after_step", "landing.synced")
AFTER_FILES = (
    *("landing.committed", "files.landed", "files.recorded", "commits.files_landed"),
    *("commits.brought", "commits.moved", "commits.recorded"),
)


@pytest.fixture
def session(tmp_path: Path) -> CopiedSession:
    """Offer a session with one commit, and one file that is not committed."""
    made = CopiedSession(tmp_path)
    made.commits("new", "new\n")
    (made.agent / "later").write_text("later\n")
    return made


def landing(session: CopiedSession, **what: object) -> Callable[[FaultPoints], None]:
    """Return a run of the daemon in which everything lands."""

    async def run(faults: FaultPoints) -> None:
        async with session.daemon(faults) as service:
            await session.decide(service, **what)

    return lambda faults: asyncio.run(run(faults))


def starting(session: CopiedSession) -> dict[str, Any]:
    """Start the daemon anew; return what it says of the workspace."""

    async def run() -> dict[str, Any]:
        async with session.daemon(NO_FAULTS) as service:
            return await service.show(SESSION)

    return asyncio.run(run())


def killed(work: Callable[[FaultPoints], object], point: str) -> None:
    assert in_child(work, point, 1, random.Random()), f"{point} was never reached"


def is_whole(session: CopiedSession) -> bool:
    """Say whether files and branch are both as after the landing; fail if only one of them is."""
    files = (session.project / "new").exists(), (session.project / "later").exists()
    subjects = session.git("log", "--format=%s").splitlines()
    landed = subjects == ["adds new", "first"]
    assert landed or subjects == ["first"]
    assert set(files) == {landed}, (files, subjects)
    assert session.git("status", "--porcelain") == ("?? later" if landed else "")
    assert not list((session.project / ".git").glob("index?*"))
    session.git("fsck", "--full", "--strict")
    return landed


@pytest.mark.parametrize("point", [*BEFORE_FILES, *AFTER_FILES])
def test_a_start_finishes_the_branch_of_a_landing_that_was_cut_off_after_its_files(
    session: CopiedSession, point: str
) -> None:
    killed(landing(session), point)
    told = starting(session)["last_landing"]
    assert is_whole(session) is (point in AFTER_FILES)
    assert told["cut_off"]
    if point in AFTER_FILES:
        assert "finished when the daemon started" in told["said"]
        assert "1 commit on your branch main" in told["said"]
        assert session.events()[-1] == ("workspace.commits_landed", "daemon")
        assert ("workspace.commits_landing_started", "person:owner") in session.events()
    else:
        assert "nothing of it landed" in told["said"] or "before anything had landed" in told["said"]
    assert starting(session)["last_landing"] == told  # nothing is left to do at a second start
    landing(session)(NO_FAULTS)
    assert is_whole(session)


@pytest.mark.parametrize("point", ["commits.files_landed", "commits.brought", "commits.moved"])
def test_a_start_that_is_killed_while_it_finishes_a_landing_is_finished_by_the_next(
    session: CopiedSession, point: str
) -> None:
    killed(landing(session), "files.remembered")
    killed(lambda faults: asyncio.run(_open(session, faults)), point)
    assert "1 commit on your branch main" in starting(session)["last_landing"]["said"]
    assert is_whole(session)


async def _open(session: CopiedSession, faults: FaultPoints) -> None:
    async with session.daemon(faults):
        pass


def test_what_the_person_committed_before_the_start_stays_and_the_commits_are_beside(session: CopiedSession) -> None:
    killed(landing(session), "commits.files_landed")
    session.git("add", "later")
    session.git("commit", "-qm", "mine")
    told = starting(session)["last_landing"]["said"]
    assert "on no branch" in told
    assert "main" in told
    assert session.git("log", "--format=%s").splitlines() == ["mine", "first"]
    assert session.git("log", "-1", "--format=%s", f"refs/aileron/{SESSION}/heads/main") == "adds new"


def test_files_that_did_not_land_keep_the_branch_where_it_is_also_after_a_cut(session: CopiedSession) -> None:
    time.sleep(0.05)
    (session.project / "new").write_text("mine\n")
    killed(landing(session), "landing.committed")
    starting(session)
    assert (session.project / "new").read_text() == "mine\n"
    assert session.git("log", "--format=%s") == "first"
    assert session.git("log", "-1", "--format=%s", f"refs/aileron/{SESSION}/heads/main") == "adds new"


@pytest.mark.parametrize("point", ["commits.written_down", "commits.brought", "commits.moved", "commits.recorded"])
def test_a_start_makes_the_branch_of_everything_once_that_was_cut_off(session: CopiedSession, point: str) -> None:
    killed(landing(session, mode=Mode.BRANCH), point)
    told = starting(session)["last_landing"]["said"]
    (branch,) = [each for each in session.git("branch", "--format=%(refname:short)").splitlines() if each != "main"]
    assert f"as the branch {branch}" in told
    assert ("workspace.commits_landing_started", "person:owner") in session.events()
    assert session.git("show", f"{branch}:later") == "later"
    assert session.git("log", "--format=%s") == "first"
    assert session.git("status", "--porcelain") == ""


def test_what_is_written_down_of_a_landing_and_damaged_brings_in_nothing_and_is_said(session: CopiedSession) -> None:
    killed(landing(session), "commits.files_landed")
    layer = session.layers.get(SESSION)
    layer.commits_underway.write_text(json.dumps({"version": 1, "mode": "files"}))
    told = starting(session)["last_landing"]["said"]
    assert "is damaged" in told
    assert "Land again" in told
    assert session.git("log", "--format=%s") == "first"
    landing(session)(NO_FAULTS)
    assert is_whole(session)


def test_a_repository_that_is_gone_at_the_start_is_said_and_nothing_fails(session: CopiedSession) -> None:
    killed(landing(session), "commits.files_landed")
    (session.project / ".git").rename(session.project / "away")
    assert "is no repository any more" in starting(session)["last_landing"]["said"]
    (session.project / "away").rename(session.project / ".git")
    landing(session)(NO_FAULTS)
    assert is_whole(session)


@pytest.mark.parametrize("mode", [Mode.FILES, Mode.BRANCH])
def test_a_landing_that_failed_and_was_told_so_is_not_finished_by_a_later_start(
    session: CopiedSession, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise Failure(FailureClass.AUDIT_UNAVAILABLE, "The log is full.", boundary=Boundary.RUNTIME)

    async def run() -> None:
        async with session.daemon(NO_FAULTS) as service:
            with monkeypatch.context() as patched:
                patched.setattr(service._commits._audit, "append", fails)
                with pytest.raises(Failure, match="The log is full"):
                    await session.decide(service, mode=mode)

    asyncio.run(run())
    told = starting(session)["last_landing"]
    assert told["said"] == "it failed: The log is full."
    assert not told["cut_off"]
    assert session.git("branch", "--format=%(refname:short)") == "main"
    assert session.git("status", "--porcelain") == ""
    landing(session)(NO_FAULTS)
    assert is_whole(session)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_landing_with_commits_that_is_killed_at_any_moment_is_whole_after_the_next_start(tmp_path: Path) -> None:
    kills, seed = int(os.environ.get("LANDING_KILLS", "60")) // 4, int(os.environ.get("LANDING_SEED", "20261126"))
    draw = random.Random(seed)
    rehearsed = Killer()
    peace = CopiedSession(tmp_path / "peace")
    peace.commits("new", "new\n")
    landing(peace)(rehearsed)
    cut = endings = 0
    for number in range(kills):
        session = CopiedSession(tmp_path / str(number))
        session.commits("new", "new\n")
        (session.agent / "later").write_text("later\n")
        point = draw.choice(list(rehearsed.passed))
        cut += in_child(landing(session), point, draw.randint(1, rehearsed.passed[point]), draw)
        starting(session)
        endings += is_whole(session)
    assert cut
    assert 0 < endings < kills, f"seed {seed}"
