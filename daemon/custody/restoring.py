"""Brings a home back from a backup: unpacked beside its place, checked there, and put in place in one step.

    <home>.restoring-...   while it is unpacked and checked; with a file `.unfinished` in it, which goes last
    <home>                 the restored home, after one rename
    <home>.before-...      the home that was there before, if there was one

Killed at any moment, the home is the old one or the restored one, whole. What a killed restore has left is removed by
the next one if it is unfinished, and named if not.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.at_rest import verify_at_rest
from daemon.base import exact_renames
from daemon.base.files import sync_folder
from daemon.custody.manifest import BackupError, Manifest
from daemon.custody.unpacking import unpack
from daemon.db.migration import known_revisions

_UNFINISHED = ".unfinished"
_SPARE = 64 * 2**20
"""What must stay free on the disk: without room for its log, a restored home is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done."""

    manifest: Manifest
    home: Path
    kept: Path | None
    """Where the home lies that was there before."""


def restore(backup: Path, home: Path, *, stamp: str) -> Restored:
    """Put the home of a backup in the place of whatever home is there; the caller holds the lock of that one.

    Raises BackupError and OSError; then the home is as it was.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    clear_unfinished(home)
    staging = _aside(home, "restoring", stamp)
    staging.mkdir(mode=0o700)
    try:
        (staging / _UNFINISHED).touch(0o600)
        free = shutil.disk_usage(staging).free
        manifest = unpack(backup, staging, most=max(0, free - _SPARE))
        _check(staging, manifest)
        (staging / _UNFINISHED).unlink()
        sync_folder(staging)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    kept = _put_in_place(staging, home, stamp=stamp)
    return Restored(manifest=manifest, home=home, kept=kept)


def is_taken(home: Path) -> bool:
    """Say whether there is anything in a home that a restore would put aside."""
    try:
        return any(_holds_something(path) for path in home.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True


def clear_unfinished(home: Path) -> None:
    """Remove what a killed restore has left; what it had finished is left for a person to look at."""
    for path in home.parent.glob(f"{home.name}.restoring-*"):
        if (path / _UNFINISHED).exists():
            shutil.rmtree(path)


def left_behind(home: Path) -> list[Path]:
    """Return the whole homes that a killed restore has left beside this one."""
    return sorted(path for path in home.parent.glob(f"{home.name}.restoring-*") if not (path / _UNFINISHED).exists())


def _holds_something(path: Path) -> bool:
    # An empty home, as a first look at it makes one, has folders and locks.
    return any(path.iterdir()) if path.is_dir() and not path.is_symlink() else not path.name.endswith(".lock")


def _check(folder: Path, manifest: Manifest) -> None:
    """See that this version can use the home, and that its log is whole; raises BackupError."""
    known = known_revisions()
    if manifest.about.revision not in known:
        raise BackupError(
            f"The backup was made by a newer Aileron ({manifest.about.version}; its database is of revision "
            f"{manifest.about.revision}, this program knows up to {known[-1]}). Upgrade Aileron, then restore."
        )
    report = verify_at_rest(folder / "aileron.db", folder / "ca" / "audit.key")
    if report.news:
        raise BackupError(f"The audit log in the backup is not whole: {report.news[0].message}")
    if (report.head_seq, report.head_hash) != (manifest.about.head_seq, manifest.about.head_hash):
        raise BackupError("The audit log in the backup does not end where the backup says.")


def _put_in_place(staging: Path, home: Path, *, stamp: str) -> Path | None:
    if not home.exists():
        staging.rename(home)
        sync_folder(home.parent)
        return None
    _exchange(staging, home)
    sync_folder(home.parent)
    if not is_taken(staging):
        shutil.rmtree(staging, ignore_errors=True)
        return None
    kept = _aside(home, "before", stamp)
    try:
        staging.rename(kept)
        sync_folder(home.parent)
    except OSError:
        return staging  # where it lies, under the name it has
    return kept


def _exchange(staging: Path, home: Path) -> None:
    parent = os.open(home.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        exact_renames.exchange(parent, staging.name, parent, home.name)
    except OSError as problem:
        shutil.rmtree(staging, ignore_errors=True)
        raise BackupError(
            f"{home} could not be exchanged for the restored one in one step ({problem.strerror}); it is as it was. "
            f"Move it away yourself, then restore: mv {home} {home}.before"
        ) from problem
    finally:
        os.close(parent)


def _aside(home: Path, what: str, stamp: str) -> Path:
    return home.with_name(f"{home.name}.{what}-{stamp}")
