"""What new commits do, asked of git in the quarantine: which they are, what they change, how they look to people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from daemon.workspaces.commits.failures import refused, too_large
from daemon.workspaces.commits.host_git import HostGit
from daemon.workspaces.commits.trees import LINK
from daemon.workspaces.values import Commit

NOTHING = "000000"
_MOST_COMMITS = 20_000
_LONGEST_LIST = 64 * 1024**2
"""How much git may print about changed paths: enough for some hundred thousand."""
_SHOWN_COMMITS = 50
_LONGEST_TEXT = 300
_FORMAT = "%H%x00%s%x00%an <%ae>%x00%cI%x00"
_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Touched:
    """One path that a commit changes."""

    path: str
    before: str
    """The mode it had, `000000` if it was not there."""
    mode: str
    """The mode that it has since, `000000` if it is deleted."""
    id: str

    @property
    def is_added(self) -> bool:
        """Whether nothing was there before."""
        return self.before == NOTHING

    @property
    def is_deleted(self) -> bool:
        """Whether nothing is there since."""
        return self.mode == NOTHING

    @property
    def is_link(self) -> bool:
        """Whether a link is there since."""
        return self.mode == LINK


def is_whole(git: HostGit, tips: Sequence[str], have: Sequence[str]) -> None:
    """Raise Failure unless everything that the tips need is there."""
    asked = _asked(tips, have)
    fine, _, said = git.attempt("rev-list", "--objects", "--quiet", "--stdin", given=asked)
    if not fine:
        raise refused(f"The agent's commits are not whole, so nothing of them lands: {said}")


def is_forward(git: HostGit, old: str, new: str) -> bool:
    """Say whether a commit has another one among its ancestors."""
    return old == new or git.says("merge-base", "--is-ancestor", old, new)


def new_commits(git: HostGit, tips: Sequence[str], have: Sequence[str]) -> list[str]:
    """Return the commits that some tips have and the person has not, the newest first."""
    most = f"--max-count={_MOST_COMMITS + 1}"
    found = git.run("rev-list", "--topo-order", most, "--stdin", given=_asked(tips, have)).decode().split()
    if len(found) > _MOST_COMMITS:
        raise too_large(f"The agent has more than {_MOST_COMMITS} new commits, which is more than are looked at.")
    return found


def touched(git: HostGit, commits: Sequence[str]) -> dict[str, list[Touched]]:
    """Return for each of some commits the paths that it changes.

    Of a merge, what differs from all of its parents: the rest was changed by a commit of one side, which is among these
    or the person's own.
    """
    if not commits:
        return {}
    arguments = ("--stdin", "-r", "-c", "-z", "--root", "--raw", "--no-abbrev", "--no-renames", "--always")
    more = ("--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    bounded = replace(git, bounds=replace(git.bounds, output_bytes=_LONGEST_LIST))
    said = bounded.run("diff-tree", *arguments, *more, given="\n".join([*commits, ""]).encode())
    found: dict[str, list[Touched]] = {}
    here: list[Touched] = []
    fields = iter(said.split(b"\0"))
    for about in fields:
        if about.startswith(b":"):
            path = next(fields).decode("utf-8", "surrogateescape")
            words = about.lstrip(b":").decode().split(" ")
            parents = len(about) - len(about.lstrip(b":"))
            here.append(Touched(path=path, before=words[0], mode=words[parents], id=words[2 * parents + 1]))
        elif about:
            here = found.setdefault(about.decode(), [])
    return found


def shown(git: HostGit, commits: Sequence[str]) -> tuple[Commit, ...]:
    """Return the first of some commits as people see them."""
    some = commits[:_SHOWN_COMMITS]
    if not some:
        return ()
    arguments = ("--no-walk=unsorted", "--stdin", "--no-mailmap", "--no-color", "--no-show-signature")
    said = git.run("log", *arguments, f"--format=tformat:{_FORMAT}", given="\n".join([*some, ""]).encode())
    fields = [field.decode(errors="replace").strip("\n")[:_LONGEST_TEXT] for field in said.split(b"\0")]
    rows = [fields[place : place + _FIELDS] for place in range(0, len(fields) - _FIELDS + 1, _FIELDS)]
    return tuple(Commit(id=row[0], subject=row[1], author=row[2], when=row[3]) for row in rows)


def _asked(tips: Iterable[str], have: Iterable[str]) -> bytes:
    return "\n".join([*tips, *(f"^{each}" for each in have), ""]).encode()
