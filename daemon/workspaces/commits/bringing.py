"""Brings checked commits into the person's repository and makes of them what was decided. Blocks; use a thread."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.commits import branches as refs
from daemon.workspaces.commits.commits import Checked
from daemon.workspaces.commits.host_git import Repository
from daemon.workspaces.commits.rules import HEADS, Becomes, Becoming, count_commits, free_name
from daemon.workspaces.decisions import Decision, Outcome
from daemon.workspaces.layers.layer import Layer

_MOST_NOTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What comes in, and from which layer into which repository."""

    layer: Layer
    repository: Repository
    checked: Checked
    becoming: Becoming
    yes_to: Collection[str]
    """Paths that would run later and may come in as commits."""
    faults: FaultPoints = NO_FAULTS


def bring_forward(incoming: Incoming, outcome: Outcome, *, left: Collection[str] | None) -> Outcome:
    """Move the branch that is checked out, after its files landed.

    `left` are the paths that did not land; None if the person chose only some. The branch moves only if its commits
    change none of these: otherwise the folder would not be what the branch says. What cannot be moved stays below
    refs/aileron, and the outcome says why.
    """
    session, tip = incoming.layer.session, incoming.becoming.tip
    places = refs.bring(incoming.repository, incoming.checked, session)
    incoming.faults.hit("commits.brought")
    count = count_commits(incoming.checked.branches)
    brought = replace(outcome, refs=tuple(places.values()), commits=count)
    if incoming.becoming.kind is Becomes.FORWARD and tip is not None:
        if left is None or refs.changes_any(incoming.repository, tip, left):
            brought = _left_on_no_branch(brought, places[tip.ref], "something of what it changed did not land")
        else:
            try:
                refs.fast_forward(incoming.repository, tip, session=session, yes_to=incoming.yes_to)
                brought = replace(brought, branch=tip.ref, moved=True, commits=count_commits((tip,)))
            except Failure as failure:
                brought = _left_on_no_branch(brought, places[tip.ref], failure.message)
    return _others(incoming, brought, places, but=tip.ref if tip is not None else "")


def bring_as_branch(incoming: Incoming, decision: Decision) -> Outcome:
    """Make a branch of everything: of the commit of what was not committed, or, without one, of the agent's branch.

    If `decision` names a branch that is there already at this very commit, it was made before a cut, and stays.
    """
    checked, session = incoming.checked, incoming.layer.session
    tip = checked.snapshot or incoming.becoming.tip
    places = refs.bring(incoming.repository, checked, session)
    outcome = Outcome(session=session, mode=decision.mode, refs=tuple(places.values()), notes=notes_of(checked))
    if tip is None:
        return _others(incoming, outcome, places, but="")
    outcome = replace(outcome, commits=count_commits((tip,)))
    incoming.faults.hit("commits.brought")
    name = decision.branch or free_branch(incoming)
    try:
        if not refs.is_at(incoming.repository, f"{HEADS}{name}", tip.new):
            refs.make_branch(incoming.repository, name, tip, session=session, yes_to=incoming.yes_to)
        outcome = replace(outcome, branch=f"{HEADS}{name}")
    except Failure as failure:
        if failure.failure_class is not FailureClass.APPROVAL_DENIED:
            raise
        outcome = _left_on_no_branch(outcome, places[tip.ref], failure.message)
    return _others(incoming, outcome, places, but=checked.head)


def is_free(repository: Repository, ref: str) -> bool:
    """Say whether a branch can be made at a ref."""
    return refs.is_free(repository, ref.removeprefix(HEADS))


def notes_of(checked: Checked | None) -> tuple[str, ...]:
    """Return what the person must know of commits that were looked at."""
    if checked is None:
        return ()
    left = [f"{ref!r} was left: {why}." for ref, why in checked.left_out]
    nested = [f"{path!r} is a repository of its own, and not in the branch." for path in checked.nested]
    return (*left[:_MOST_NOTES], *nested[:_MOST_NOTES])


def free_branch(incoming: Incoming) -> str:
    """Return what a branch is called that nobody named: the agent's own name only for a branch that it made itself."""
    layer, head = incoming.layer, incoming.checked.head
    wanted = "" if head == layer.start.branch else head
    free = partial(is_free, incoming.repository)
    return free_name(wanted, is_free=free, agent=layer.agent, session=layer.session).removeprefix(HEADS)


def _others(incoming: Incoming, outcome: Outcome, places: dict[str, str], *, but: str) -> Outcome:
    """Make a branch of each other branch of the agent whose name is free; the others stay below refs/aileron."""
    notes = list(outcome.notes)
    for each in incoming.checked.branches:
        if each.ref == but or not each.ref.startswith(HEADS):
            continue
        name = each.ref.removeprefix(HEADS)
        made = each.old is None and refs.is_at(incoming.repository, each.ref, each.new)  # before a cut
        if not made and each.old is None and is_free(incoming.repository, each.ref):
            try:
                refs.make_branch(
                    incoming.repository, name, each, session=incoming.layer.session, yes_to=incoming.yes_to
                )
                made = True
            except Failure as failure:
                if failure.failure_class is not FailureClass.APPROVAL_DENIED:
                    raise
        notes.append(f"The agent's branch {name} is {'one of yours now' if made else f'at {places[each.ref]}'}.")
    return replace(outcome, notes=tuple(notes))


def _left_on_no_branch(outcome: Outcome, place: str, why: str) -> Outcome:
    note = f"The commits are in your repository on no branch, because {why.rstrip('.')}. See them: git log {place}"
    return replace(outcome, notes=(*outcome.notes, note))
