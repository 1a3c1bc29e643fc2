"""What a landing brings into the person's repository, written down in the layer before anything of it is done.

The files land first, then the commits come in and the branch moves. If the daemon is killed in between, the next one
reads this and brings in the commits, too:

    files_landed false   the files are going to land; if they do not, no commit is brought in
    files_landed true    the files are there, or none were to land: the commits follow

The checked objects lie in the layer's quarantine, which only the daemon reaches. When the landing is over, the file is
removed.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from daemon.base.files import replace_file
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.principal import Principal
from daemon.workspaces.commits.commits import Checked
from daemon.workspaces.commits.host_git import Bounds
from daemon.workspaces.commits.quarantine import Quarantine
from daemon.workspaces.commits.rules import Becomes, Becoming
from daemon.workspaces.decisions import Decision, How, Mode
from daemon.workspaces.landed import Landed
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.values import Branch, Commit

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """Commits that are coming in, by whose decision, and how far their landing is."""

    decision: Decision
    checked: Checked
    becoming: Becoming
    yes_to: Collection[str]
    """Paths that would run later and may come in as commits."""
    left: tuple[str, ...] = ()
    """Paths that did not land, or are not going to."""
    files: int = 0
    """How many paths landed."""
    files_landed: bool = False

    def write(self, layer: Layer) -> None:
        """Write it down; it is on the disk when this returns. Raise OSError."""
        replace_file(layer.commits_underway, json.dumps(_as_json(self), ensure_ascii=True).encode() + b"\n")

    @classmethod
    def read(cls, layer: Layer, bounds: Bounds) -> "Underway | None":
        """Return what is written down of a landing that was cut off; None if none was. Raise Failure, OSError."""
        try:
            raw = layer.commits_underway.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _from_json(json.loads(raw), layer.session, Quarantine.reopen(quarantine_of(layer), bounds))
        except (ValueError, KeyError, TypeError) as problem:
            message = f"{layer.commits_underway} is damaged, so the commits of that landing were not brought in."
            raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.USER) from problem


def after_cut(coming: Underway, landed: Landed) -> Underway:
    """Return what is under way after a start of the daemon has finished landing the files."""
    left = (*coming.left, *(each.path for each in (*landed.conflicts, *landed.refused)))
    return replace(coming, files_landed=True, left=left, files=len(landed.paths))


def remove(layer: Layer) -> None:
    """Remove what is written down, because nothing is left to do."""
    layer.commits_underway.unlink(missing_ok=True)


def quarantine_of(layer: Layer) -> Path:
    """Return the folder of the layer's quarantine."""
    return layer.folder / "quarantine"


def _as_json(what: Underway) -> dict[str, Any]:
    decision, checked, becoming = what.decision, what.checked, what.becoming
    return {
        "version": _VERSION,
        "mode": decision.mode.value,
        "by": str(decision.by),
        "means": decision.by.means.value,
        "how": decision.how.value,
        "everything": decision.paths is None,
        "branch": decision.branch,
        "yes_to": sorted(what.yes_to),
        "left": list(what.left),
        "files": what.files,
        "files_landed": what.files_landed,
        "becomes": becoming.kind.value,
        "tip": None if becoming.tip is None else asdict(becoming.tip),
        "moves": becoming.branch,
        "head": checked.head,
        "branches": [asdict(each) for each in checked.branches],
        "snapshot": None if checked.snapshot is None else asdict(checked.snapshot),
        "repositories": list(checked.repositories),
        "nested": list(checked.nested),
        "left_out": [list(each) for each in checked.left_out],
    }


def _from_json(said: Mapping[str, Any], session: str, quarantine: Quarantine) -> Underway:
    if said["version"] != _VERSION:
        raise ValueError("it was written by a newer Aileron")
    return Underway(
        decision=Decision(
            mode=Mode(said["mode"]),
            by=Principal.recorded(said["by"], means=said["means"], session=session),
            how=How(said["how"]),
            plan="",
            paths=None if said["everything"] else (),
            yes_to=frozenset(said["yes_to"]),
            branch=str(said["branch"]),
        ),
        checked=Checked(
            quarantine=quarantine,
            head=str(said["head"]),
            branches=tuple(map(_branch, said["branches"])),
            snapshot=None if said["snapshot"] is None else _branch(said["snapshot"]),
            repositories=tuple(said["repositories"]),
            nested=tuple(said["nested"]),
            left_out=tuple((str(ref), str(why)) for ref, why in said["left_out"]),
        ),
        becoming=Becoming(
            kind=Becomes(said["becomes"]),
            tip=None if said["tip"] is None else _branch(said["tip"]),
            branch=str(said["moves"]),
        ),
        yes_to=frozenset(said["yes_to"]),
        left=tuple(said["left"]),
        files=int(said["files"]),
        files_landed=bool(said["files_landed"]),
    )


def _branch(said: Mapping[str, Any]) -> Branch:
    commits = tuple(Commit(**each) for each in said["commits"])
    return Branch(**{**said, "commits": commits, "later": tuple((path, why) for path, why in said["later"])})
