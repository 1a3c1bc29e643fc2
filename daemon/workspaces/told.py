"""How layers, changes and commits look to those who asked: JSON for the command line and the pages."""

from collections.abc import Iterable, Sequence
from typing import Any

from daemon.base.clock import rfc3339
from daemon.core.wire_paths import to_wire
from daemon.workspaces.commits.rules import count_commits
from daemon.workspaces.decisions import plan_of, plan_of_commits
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.signs import Signs
from daemon.workspaces.looking.differences import FileDifference
from daemon.workspaces.looking.overview import as_json
from daemon.workspaces.values import Branch, Changes


def layer_json(layer: Layer, *, landing_now: bool = False) -> dict[str, Any]:
    """Return what is known of a layer without looking into it."""
    at = layer.last_landing_ms
    last = {"at": None if at is None else rfc3339(at), "said": layer.last_landing, "cut_off": layer.last_landing_cut}
    return {
        "session": layer.session,
        "earlier": list(layer.earlier),
        "agent": layer.agent,
        "label": layer.label,
        "way": layer.way.value,
        "state": layer.state.value,
        "folder": layer.work.source,
        "subfolder": layer.subfolder,
        "branch": layer.start.branch or None,
        "looked_at": layer.looked_at,
        "landing_now": landing_now,
        "last_landing": last if layer.last_landing else None,
        "started_at": rfc3339(layer.start.wall_ns // 1_000_000),
        "ended_at": None if layer.ended_ms is None else rfc3339(layer.ended_ms),
    }


def changes_json(
    layer: Layer, changes: Changes, differences: Sequence[FileDifference], *, signs: Signs
) -> dict[str, Any]:
    """Return changes as they are shown, with the digest that a decision about them names."""
    return as_json(changes, differences) | {
        "session": layer.session,
        "folder": layer.work.source,
        "state": layer.state.value,
        "plan": plan_of(changes),
        "repository": signs.is_repository,
        "may_have_commits": signs.may_have_commits,
    }


def difference_json(layer: Layer, changes: Changes, differences: Sequence[FileDifference]) -> dict[str, Any]:
    """Return differences as lines that are safe to show, each with what it is, and the digest of what they are of."""
    return {
        "session": layer.session,
        "plan": plan_of(changes),
        "lines": [{"mark": line.mark.value, "text": line.text} for each in differences for line in each.lines],
    }


def commits_json(branches: Iterable[Branch], *, becomes: str, notes: Iterable[str]) -> dict[str, Any]:
    """Return commits as they are shown, and what landing would make of them."""
    branches = tuple(branches)
    return {
        "plan": plan_of_commits(branches),
        "branches": [_branch(each) for each in branches],
        "count": count_commits(branches),
        "becomes": becomes,
        "notes": list(notes),
    }


def _branch(branch: Branch) -> dict[str, Any]:
    return {
        "ref": branch.ref,
        "old": branch.old,
        "new": branch.new,
        "forward": branch.forward,
        "commits": [
            {"id": each.id, "subject": each.subject, "author": each.author, "when": each.when}
            for each in branch.commits
        ],
        "more": branch.more,
        "later": [[to_wire(path), why] for path, why in branch.later],
    }
