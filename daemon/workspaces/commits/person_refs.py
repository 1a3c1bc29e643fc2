"""Which refs a repository of the person's has, and what is checked out there."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.workspaces.commits.host_git import Bounds, HostGit, Repository
from daemon.workspaces.commits.ref_names import HEADS

AILERON = "refs/aileron/"
"""Where everything of ours is in the person's repository."""


@dataclass(frozen=True, slots=True)
class PersonRefs:
    """Every ref with what it holds, and what is checked out."""

    refs: Mapping[str, str]
    head: str
    """The branch that is checked out; empty if none is."""
    commit: str
    """The commit that is checked out; empty if there is none yet."""

    @classmethod
    def read(cls, repository: Repository, bounds: Bounds | None = None) -> "PersonRefs":
        """Ask git in the repository."""
        git = HostGit.of(repository, bounds)
        listed = git.run("for-each-ref", "--format=%(objectname) %(refname)").decode("utf-8", "surrogateescape")
        refs = {name: found for found, _, name in (line.partition(" ") for line in listed.splitlines())}
        head, commit = checked_out(git)
        return cls(refs, head, commit)

    def all(self) -> set[str]:
        """Return everything that the person has, without the refs below `refs/aileron/`."""
        return {found for ref, found in self.refs.items() if not ref.startswith(AILERON)} | ({self.commit} - {""})

    def own(self) -> set[str]:
        """Return what the person has on branches of their own, and not only fetched from somebody."""
        return {found for ref, found in self.refs.items() if ref.startswith(HEADS)} | ({self.commit} - {""})


def checked_out(git: HostGit) -> tuple[str, str]:
    """Return the branch that is checked out and its commit; each is empty where there is none."""
    _, branch, _ = git.attempt("symbolic-ref", "--quiet", "HEAD")
    _, commit, _ = git.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return branch.decode("utf-8", "surrogateescape").strip(), commit.decode().strip()
