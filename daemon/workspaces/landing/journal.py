r"""Writes down a landing beside its layer, so that a daemon that was killed can undo or finish it.

Three lines of JSON, each synced before anything is done that it speaks of:

    {"begun": ...}      where staging folders are going to be made; nothing of the person's was touched
    {"steps": ...}      everything that is staged and is going to be done   -> a cut is undone
    {"committed": ...}  everything was done, and is on the disk             -> a cut is finished

A line that was cut off in the middle was not written. The file goes when nothing is left to do.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.base.files import sync_folder, write_all
from daemon.workspaces.landed import LandingError, NotLanded
from daemon.workspaces.landing.plan import Op, Step
from daemon.workspaces.values import Act, Change, Entry, Kind

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a journal says."""

    note: str
    inode: int
    """The person's folder, so that no other one is worked on."""
    staging: str
    """The name of our staging folders."""
    tops: tuple[str, ...]
    """The folders they lie in, one on each mount."""
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    failed: dict[int, NotLanded] | None = None
    """Changes that did not land after all, by number; None until the landing is committed."""
    conflicts: tuple[NotLanded, ...] = ()
    """Further conflicts, which never had a step."""
    refused: tuple[NotLanded, ...] = ()

    @property
    def is_committed(self) -> bool:
        """Say whether everything was done."""
        return self.failed is not None


class Journal:
    """The journal of one landing, open for writing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    @property
    def path(self) -> Path:
        """Return the path of the journal."""
        return self._path

    @property
    def is_begun(self) -> bool:
        """Say whether the file was made."""
        return self._file >= 0

    def begin(self, *, note: str, inode: int, staging: str, tops: Sequence[str]) -> None:
        """Make the file; raise OSError, FileExistsError if a landing was cut off before."""
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._add(
            {"begun": {"version": _VERSION, "note": note, "inode": inode, "staging": staging, "tops": list(tops)}}
        )
        sync_folder(self._path.parent)

    def steps(self, changes: Sequence[Change], steps: Sequence[Step]) -> None:
        """Note everything that is going to be done; raise OSError."""
        self._add(
            {
                "steps": {
                    "changes": [_change_json(each) for each in changes],
                    "steps": [_step_json(each) for each in steps],
                }
            }
        )

    def commit(
        self, *, failed: dict[int, NotLanded], conflicts: Iterable[NotLanded], refused: Iterable[NotLanded]
    ) -> None:
        """Note that everything was done; from now on a cut is finished and not undone. Raise OSError."""
        told = {
            "failed": {str(number): asdict(each) for number, each in failed.items()},
            "conflicts": list(map(asdict, conflicts)),
            "refused": list(map(asdict, refused)),
        }
        before = os.fstat(self._file).st_size
        try:
            self._add({"committed": told})
        except OSError:
            # A line that is there and could not be synced would be believed by a recovery, while we undo.
            os.ftruncate(self._file, before)
            os.fsync(self._file)
            raise

    def close(self) -> None:
        """Close the file, which stays."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def remove(self) -> None:
        """Remove the file, because nothing is left to do."""
        self.close()
        remove(self._path)

    def _add(self, what: dict[str, Any]) -> None:
        write_all(self._file, json.dumps(what, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file)


def remove(path: Path) -> None:
    """Remove a journal; a second time nothing happens."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def read(path: Path) -> Written | None:
    """Return what a journal says; None if nothing was begun. Raise LandingError if it cannot be understood."""
    try:
        whole = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    if not whole:
        return None
    try:
        said: dict[str, Any] = {}
        for line in whole:
            said |= json.loads(line)
        return _written(said)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise LandingError(
            f"The journal of a landing that was cut off, {path}, is damaged ({problem}). What was replaced lies in the "
            "folder of the workspace, in one whose name begins with .aileron-landing-. Look at it, put back what you "
            "want, then remove both."
        ) from problem


def _written(said: dict[str, Any]) -> Written:
    begun = said["begun"]
    if begun["version"] != _VERSION:
        raise ValueError(f"it has version {begun['version']}")
    plan = said.get("steps", {"changes": [], "steps": []})
    end = said.get("committed")
    return Written(
        note=begun["note"],
        inode=begun["inode"],
        staging=begun["staging"],
        tops=tuple(begun["tops"]),
        changes=tuple(map(_change, plan["changes"])),
        steps=tuple(map(_step, plan["steps"])),
        failed=None if end is None else {int(key): NotLanded(**each) for key, each in end["failed"].items()},
        conflicts=() if end is None else tuple(NotLanded(**each) for each in end["conflicts"]),
        refused=() if end is None else tuple(NotLanded(**each) for each in end["refused"]),
    )


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "path": change.path,
        "act": change.act,
        "agent": _entry_json(change.agent),
        "person": _entry_json(change.person),
    }


def _entry_json(entry: Entry | None) -> dict[str, Any] | None:
    # By hand, because `asdict` takes as long as everything else that is done for a file.
    if entry is None:
        return None
    return {
        "kind": entry.kind,
        "size": entry.size,
        "executable": entry.executable,
        "digest": entry.digest,
        "target": entry.target,
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "op": step.op,
        "path": step.path,
        "change": step.change,
        "slot": step.slot,
        "stage": step.stage,
        "mode": step.mode,
        "owner": step.owner,
    }


def _change(said: dict[str, Any]) -> Change:
    return Change(path=said["path"], act=Act(said["act"]), agent=_entry(said["agent"]), person=_entry(said["person"]))


def _entry(said: dict[str, Any] | None) -> Entry | None:
    return None if said is None else Entry(**{**said, "kind": Kind(said["kind"])})


def _step(said: dict[str, Any]) -> Step:
    return Step(**{**said, "op": Op(said["op"]), "owner": tuple(said["owner"])})
