"""What the log holds of decisions beside the files that land: what was left and why, and what became of commits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from daemon.audit.events import AuditEvent
from daemon.core.principal import DAEMON, Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.core.wire_paths import to_wire
from daemon.workspaces.decisions import Decision, Left, Outcome
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.values import Branch

_MOST_TIPS = 200
_MOST_NAMED = 100
_PIECE = 20
_LONGEST_WHY = 300


def left(*, landing: str, session: str, by: Principal, left: Sequence[Left]) -> list[AuditEvent]:
    """Say which changes were left and why, in as many pieces as needed."""
    told = [{"path": to_wire(each.path), "kind": "left", "why": each.why[:_LONGEST_WHY], "kept": ""} for each in left]
    return [
        AuditEvent(
            type=EventType.WORKSPACE_LANDING_LEFT,
            session=session,
            actor=by,
            payload={
                Attr.WORKSPACE_LANDING: landing,
                Attr.WORKSPACE_PIECE: start // _PIECE + 1,
                Attr.WORKSPACE_ITEMS: told[start : start + _PIECE],
            },
        )
        for start in range(0, len(told), _PIECE)
    ]


def landing_started(layer: Layer, decision: Decision, tips: Sequence[Branch]) -> AuditEvent:
    """Say what is about to come into the person's repository; on the disk before anything of it is there."""
    return _event(
        EventType.WORKSPACE_COMMITS_LANDING_STARTED,
        layer,
        decision,
        {
            Attr.WORKSPACE_TIPS: [[to_wire(each.ref), each.old, each.new] for each in tips[:_MOST_TIPS]],
            Attr.WORKSPACE_YES_TO: sorted(map(to_wire, decision.yes_to))[:_MOST_NAMED],
        },
    )


def landed(layer: Layer, decision: Decision, outcome: Outcome, *, after_cut: bool = False) -> AuditEvent:
    """Say where the commits are now. `after_cut`: a daemon that was started anew finished it."""
    return _event(
        EventType.WORKSPACE_COMMITS_LANDED,
        layer,
        replace(decision, by=DAEMON) if after_cut else decision,
        {
            Attr.WORKSPACE_BRANCH: outcome.branch or None,
            Attr.WORKSPACE_MOVED: outcome.moved,
            Attr.WORKSPACE_AFTER_CUT: after_cut,
            Attr.WORKSPACE_REFS: list(outcome.refs[:_MOST_TIPS]),
            Attr.WORKSPACE_NOTES: list(outcome.notes[:_MOST_NAMED]),
        },
    )


def landing_failed(layer: Layer, decision: Decision, why: str) -> AuditEvent:
    """Say why nothing became of a decision about commits."""
    return _event(EventType.WORKSPACE_COMMITS_LANDING_FAILED, layer, decision, {"reason": why[:1000]})


def _event(kind: str, layer: Layer, decision: Decision, payload: dict[str, Any]) -> AuditEvent:
    how = {Attr.WORKSPACE_DECIDED: decision.how.value, Attr.WORKSPACE_MODE: decision.mode.value}
    return AuditEvent(type=kind, session=layer.session, actor=decision.by, payload=how | payload)
