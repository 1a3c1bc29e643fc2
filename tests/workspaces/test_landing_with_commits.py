"""A landing of files and commits together: what it does to the branch, and what it says of it."""

import asyncio
from pathlib import Path

import pytest
from workspaces.copied_session import SESSION, CopiedSession
from workspaces.landed_commits import git


@pytest.fixture
def session(tmp_path: Path) -> CopiedSession:
    """Offer a session with one commit on the branch that is checked out."""
    made = CopiedSession(tmp_path)
    made.commits("new", "new\n")
    return made


def landed(session: CopiedSession, **what: object) -> str:
    """Land it; return what is said of the landing."""

    async def run() -> str:
        async with session.daemon() as service:
            await session.decide(service, **what)
            return str((await service.show(SESSION))["last_landing"]["said"])

    return asyncio.run(run())


def test_what_is_said_of_the_branch_counts_its_own_commits_and_not_those_of_another(session: CopiedSession) -> None:
    git(session.agent, "checkout", "-q", "-b", "feature")
    session.commits("more", "more\n")
    git(session.agent, "checkout", "-q", "main")
    assert "1 commit on your branch main" in landed(session)
    assert session.git("log", "--format=%s", "main") == "adds new\nfirst"
    assert session.git("log", "-1", "--format=%s", "feature") == "adds more"


def test_what_the_person_made_of_a_file_that_landed_holds_back_no_commit(session: CopiedSession) -> None:
    landed(session, paths=("new",))
    assert session.git("log", "--format=%s") == "first"
    (session.project / "new").write_text("new\nand mine\n")
    assert "on your branch main" in landed(session)
    assert session.git("log", "--format=%s") == "adds new\nfirst"
    assert session.git("diff", "--name-only") == "new"
    assert (session.project / "new").read_text() == "new\nand mine\n"
