"""What landing makes of the agent's commits: pure.

| the agent is on                                                    | landing                                        |
|--------------------------------------------------------------------|------------------------------------------------|
| the branch that the person has checked out, ahead of it            | files land, then the branch goes forward       |
| that branch, rewritten; or it moved in the person's repository     | a branch of ours; the checkout stays as it is  |
| another branch                                                     | that branch if its name is free, or one of ours|
| no branch                                                          | a branch of ours                               |
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.workspaces.values import Branch

HEADS = "refs/heads/"
DETACHED = "HEAD"
"""The name that we give to a commit that is on no branch."""
_SHORT = 8


class Becomes(StrEnum):
    """What becomes of the branch that the agent is on."""

    NOTHING = "nothing"
    FORWARD = "forward"
    BRANCH = "branch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Becoming:
    """What landing would make, and how that is said."""

    kind: Becomes
    tip: Branch | None = None
    """The branch of the agent's that it is about."""
    branch: str = ""
    """The person's branch that is moved or made, as `refs/heads/...`."""
    words: str = ""
    landed: bool = False
    """The person has it already, because the same decision came twice."""


def becoming(
    *,
    head: str,
    branches: Sequence[Branch],
    checked_out: str,
    at: str,
    is_free: Callable[[str], bool],
    agent: str,
    session: str,
) -> Becoming:
    """Return what landing makes of the branch the agent is on.

    `head` is that branch, empty if it is on none; `checked_out` is the person's, and `at` the commit of it.
    """
    ref = head or DETACHED
    tip = next((each for each in branches if each.ref == ref), None)
    if tip is None:
        return Becoming(kind=Becomes.NOTHING)
    if ref == checked_out and tip.new == at:
        return Becoming(kind=Becomes.NOTHING, landed=True)
    if ref == checked_out and tip.forward and tip.old == at:
        words = f"Landing everything moves {_plain(ref)} forward by {_counted(tip)}."
        return Becoming(kind=Becomes.FORWARD, tip=tip, branch=ref, words=words)
    branch = free_name(ref, is_free=is_free, agent=agent, session=session)
    words = f"{_why(ref, tip, checked_out, at)} What it did becomes the branch {_plain(branch)}; your checkout stays."
    return Becoming(kind=Becomes.BRANCH, tip=tip, branch=branch, words=words)


def own_name(agent: str, session: str) -> str:
    """Return what we call a branch of a session."""
    return f"{HEADS}aileron/{agent}-{session[-_SHORT:]}"


def free_name(wanted: str, *, is_free: Callable[[str], bool], agent: str, session: str) -> str:
    """Return the wanted branch if it is one and its name is free, otherwise the first free one of ours."""
    if wanted.startswith(HEADS) and is_free(wanted):
        return wanted
    own = own_name(agent, session)
    name, number = own, 2
    while not is_free(name):
        name, number = f"{own}-{number}", number + 1
    return name


def _why(ref: str, tip: Branch, checked_out: str, at: str) -> str:
    if ref == DETACHED:
        return "The agent is on no branch."
    if ref != checked_out:
        return f"The agent is on the branch {_plain(ref)}, and you are not."
    if not tip.forward:
        return f"The agent rewrote {_plain(ref)}."
    return f"{_plain(ref)} is at {at[:12] or 'no commit'} in your repository, and was elsewhere when the session began."


def _plain(ref: str) -> str:
    return ref.removeprefix(HEADS)


def _counted(tip: Branch) -> str:
    number = len(tip.commits) + tip.more
    return f"{number} commit" + ("" if number == 1 else "s")


def count_commits(branches: Iterable[Branch]) -> int:
    """Count the commits of some branches. A commit that is on several of them counts once."""
    branches = tuple(branches)
    return len({commit.id for each in branches for commit in each.commits}) + sum(each.more for each in branches)
