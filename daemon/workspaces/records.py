"""What the log says of landings: the events, as values. From them alone it can be told what landed, and by whose word.

    workspace.landing_started   before the first write: by whom, how it was decided, how many paths
    workspace.landing_paths     in as many pieces as needed, with it: each path, its digest before and after
    workspace.landed            how many landed; every path of the start that is not in a piece of `landing_left`
    workspace.landing_left      in pieces, with it: each path that was chosen and did not land, why, where a copy is
    workspace.landing_late      in pieces: each path that landed, and whose old file was still written to afterwards
    workspace.landing_failed    nothing landed, and why
    workspace.landing_undone    a landing that was cut off was undone when the daemon started
    workspace.discarded         the layer was thrown away, with how many changes

The id of the first event is the id of the landing; all others name it. Everything that is returned together is
appended together, so that it is in the log whole or not at all.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from daemon.audit.events import AuditEvent
from daemon.core.principal import Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.core.wire_paths import bytes_on_wire, to_wire
from daemon.workspaces.landed import Ending, Landed, NotLanded, Recovered
from daemon.workspaces.values import Change, Entry, Kind

_PIECE = 12_000
"""How many characters a piece holds at most. A row of the log holds far more in one piece."""

_LONGEST_WHY = 300


def started(
    *, landing: str, session: str, by: Principal, how: str, changes: Sequence[Change]
) -> tuple[AuditEvent, ...]:
    """Say what is going to land. Nothing may be written before this is on the disk.

    `landing` is a new id of an audit event; `how` is `question`, `auto`, `option` or `page`.
    """
    first = AuditEvent(
        type=EventType.WORKSPACE_LANDING_STARTED,
        session=session,
        actor=by,
        payload={Attr.WORKSPACE_DECIDED: how, Attr.WORKSPACE_PATHS: len(changes)},
        id=landing,
    )
    return first, *_pieces(EventType.WORKSPACE_LANDING_PATHS, landing, session, by, map(_path_told, changes))


def landed(
    *, landing: str, session: str, by: Principal, what: Landed, after_cut: bool = False
) -> tuple[AuditEvent, ...]:
    """Say what landed and what did not. `after_cut`: a daemon that was started anew finished it."""
    left = [("conflict", each) for each in what.conflicts] + [("refused", each) for each in what.refused]
    first = _about(
        EventType.WORKSPACE_LANDED,
        landing,
        session,
        by,
        {
            Attr.WORKSPACE_LANDED: len(what.paths),
            Attr.WORKSPACE_CONFLICTS: len(what.conflicts),
            Attr.WORKSPACE_REFUSED: len(what.refused),
            Attr.WORKSPACE_AFTER_CUT: after_cut,
        },
    )
    late = (_left_told("late", each) for each in what.late)
    return (
        first,
        *_pieces(EventType.WORKSPACE_LANDING_LEFT, landing, session, by, (_left_told(*each) for each in left)),
        *_pieces(EventType.WORKSPACE_LANDING_LATE, landing, session, by, late),
    )


def failed(*, landing: str, session: str, by: Principal, why: str) -> tuple[AuditEvent, ...]:
    """Say that nothing landed, and why."""
    return (_about(EventType.WORKSPACE_LANDING_FAILED, landing, session, by, {"reason": visible(why)[:1000]}),)


def recovered(*, session: str, by: Principal, what: Recovered) -> tuple[AuditEvent, ...]:
    """Say what became of a landing that was cut off; of one that was finished, the same as `landed` says."""
    if what.ending is Ending.NOTHING:
        return ()
    if what.ending is Ending.FINISHED:
        return landed(landing=what.note, session=session, by=by, what=what.landed, after_cut=True)
    reason = "the daemon was cut off while it landed"
    first = _about(EventType.WORKSPACE_LANDING_UNDONE, what.note, session, by, {"reason": reason})
    left = (_left_told("left", each) for each in what.left)
    return first, *_pieces(EventType.WORKSPACE_LANDING_LEFT, what.note, session, by, left)


def discarded(*, session: str, by: Principal, how: str, changes: int | None) -> tuple[AuditEvent, ...]:
    """Say that a layer was thrown away; `changes` is how many were in it, None if nobody looked."""
    payload = {Attr.WORKSPACE_DECIDED: how, Attr.WORKSPACE_PATHS: changes}
    return (AuditEvent(type=EventType.WORKSPACE_DISCARDED, session=session, actor=by, payload=payload),)


def _about(kind: str, landing: str, session: str, by: Principal, payload: dict[str, Any]) -> AuditEvent:
    return AuditEvent(type=kind, session=session, actor=by, payload={Attr.WORKSPACE_LANDING: landing, **payload})


def _pieces(
    kind: str, landing: str, session: str, by: Principal, items: Iterable[dict[str, Any]]
) -> Iterator[AuditEvent]:
    """Yield events that hold all items between them, each small enough to stand in its row whole."""
    for number, piece in enumerate(_cut(items), start=1):
        yield _about(kind, landing, session, by, {Attr.WORKSPACE_PIECE: number, Attr.WORKSPACE_ITEMS: piece})


def _cut(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if piece and size + length > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append(item)
        size += length
    if piece:
        yield piece


def _path_told(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"path": _path_text(change.path), "act": change.act.value}
    told |= {"old": _entry_told(change.person), "new": _entry_told(change.agent)}
    if change.later:
        told["later"] = [visible(why)[:_LONGEST_WHY] for why in change.later[:4]]
    return told


def _left_told(kind: str, left: NotLanded) -> dict[str, Any]:
    # A copy lies below the numbered folder that is named, at the same path.
    kept = left.kept.partition("/")[0]
    return {"path": _path_text(left.path), "kind": kind, "why": visible(left.why)[:_LONGEST_WHY], "kept": kept}


def _path_text(path: str) -> str:
    """Return a path as JSON text. A path full of control characters is written by its bytes, which is half as long."""
    text = to_wire(path)
    return text if len(json.dumps(text)) <= _PIECE else bytes_on_wire(path)


def _entry_told(entry: Entry | None) -> str | None:
    """Return one text: `file sha256`, `program sha256` for an executable file, `link sha256`, `folder`."""
    if entry is None:
        return None
    name = "program" if entry.kind is Kind.FILE and entry.executable else entry.kind.value
    return f"{name} {entry.digest}".rstrip()
