"""Says in one line what became of the last landing of a workspace, for whoever asks later. Pure.

The answer to a decision goes to whoever made it. If their command line was killed, or the daemon was, nobody read it.
"""

from daemon.workspaces.commits.rules import HEADS
from daemon.workspaces.commits.underway import Underway
from daemon.workspaces.decisions import NOT_CHOSEN, Outcome
from daemon.workspaces.landed import CutOff, Ending


def said_of(outcome: Outcome) -> str:
    """Return what a decision came to."""
    parts = [_files(len(outcome.landed))] if outcome.landed else []
    if outcome.branch:
        parts.append(_branch(outcome))
    if not parts:
        parts.append("nothing landed")
    if outcome.aside:
        parts.append(f"{_paths(len(outcome.aside))} kept aside, because you changed them, too")
    left = sum(each.why != NOT_CHOSEN for each in outcome.left)
    if left:
        parts.append(f"{_paths(left)} left")
    if outcome.refs and not outcome.branch:
        parts.append("the commits are in your repository on no branch")
    return "; ".join(parts)


def said_of_failure(message: str) -> str:
    """Return what is said of a decision that failed; what had been done of it may stand."""
    return f"it failed: {message}"


def said_of_cut(cut: CutOff, coming: Underway | None, *, commits: Outcome | None, problem: str) -> str:
    """Return what became of a landing that was cut off; empty if none was.

    `coming` are its commits, if there were some, `commits` what they came to, and `problem` why they could not be
    brought in.
    """
    if cut.problem:
        return f"it was cut off, and can be neither undone nor finished: {cut.problem}"
    if cut.ending is Ending.UNDONE:
        return "it was cut off, and undone when the daemon started: nothing of it landed"
    files = len(cut.landed.paths) if coming is None else coming.files
    parts = [_files(files)] if files else []
    if problem:
        before = f"{parts[0]}, and then " if parts else ""
        return f"it was cut off: {before}the commits could not be brought in: {problem} Land again to try again."
    if cut.ending is Ending.NOTHING and commits is None:
        return "" if coming is None else "it was cut off before anything had landed"
    if commits is not None and commits.branch:
        parts.append(_branch(commits))
    elif commits is not None:
        parts += commits.notes[:1]
    return f"it was cut off, and finished when the daemon started: {'; '.join(parts) or 'nothing was left to do'}"


def _files(number: int) -> str:
    return f"{number:,} path{'' if number == 1 else 's'} landed"


def _paths(number: int) -> str:
    return f"{number:,} path{'' if number == 1 else 's'}"


def _branch(outcome: Outcome) -> str:
    commits = f"{outcome.commits:,} commit{'' if outcome.commits == 1 else 's'}"
    name = outcome.branch.removeprefix(HEADS)
    return f"{commits} on your branch {name}" if outcome.moved else f"{commits} as the branch {name}"
