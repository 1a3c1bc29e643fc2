"""Brings the database file to the shape this program knows, with a copy of the old one kept."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError

import migrations

_KEPT_BACKUPS = 5
_WAIT_SECONDS = 5.0


class DatabaseError(Exception):
    """The database file cannot be used; the message says why and what to do."""


class DatabaseTooNewError(DatabaseError):
    """A newer program has been at work on the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What was done."""

    before: str | None
    after: str
    backup: Path | None


def migrate(path: Path, *, backups: Path, now_ms: int) -> MigrationReport:
    """Upgrade the file in place if it is older than the program; refuse it if it is newer."""
    known = known_revisions()
    head = known[-1]
    before = _revision_of(path)
    if before is not None and before not in known:
        raise DatabaseTooNewError(
            f"{path} was written by a newer Aileron (its revision is {before}, this program knows up to {head}). "
            f"Upgrade Aileron, or go back to a copy in {backups}."
        )
    if before == head:
        _try_writing(path)
        return MigrationReport(before=before, after=head, backup=None)
    backup = None if before is None else _back_up(path, backups, revision=before, now_ms=now_ms)
    from daemon.db.upgrade import upgrade  # noqa: PLC0415 - Alembic takes long to import, and most starts do without

    try:
        upgrade(path)
    except (OSError, OperationalError) as problem:
        raise _unusable_now(path, problem) from problem
    except Exception as problem:
        kept = "" if backup is None else f" A copy from before is {backup}."
        raise DatabaseError(f"{path} could not be upgraded from {before} to {head}: {problem}.{kept}") from problem
    return MigrationReport(before=before, after=head, backup=backup)


def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this program knows, the oldest first: the name of a migration's file begins with it."""
    files = (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py")
    known = tuple(sorted(file.name.partition("_")[0] for file in files))
    if not known:
        raise DatabaseError("the program was installed without its migrations; install it again")
    return known


def _try_writing(path: Path) -> None:
    """Commit a write that changes nothing, so that a daemon that cannot write its log says so before any request."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            connection.execute(f"PRAGMA user_version={version}")
    except sqlite3.OperationalError as problem:
        raise _unusable_now(path, problem) from problem


def _unusable_now(path: Path, problem: Exception) -> DatabaseError:
    reason = " ".join(str(getattr(problem, "orig", None) or problem).split())
    return DatabaseError(
        f"{path} cannot be read or written ({reason}). See that the disk has free space and works, that the file is "
        "yours and that no other program holds it; then start again. Nothing in it was lost."
    )


def _revision_of(path: Path) -> str | None:
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
            tables = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
            if "alembic_version" not in tables:
                if tables:
                    raise DatabaseError(f"{path} is a database of some other program; move it away.")
                return None
            row = connection.execute("select version_num from alembic_version").fetchone()
            return None if row is None else str(row[0])
    except sqlite3.OperationalError as problem:
        # The disk or a lock is at fault, not the file: a person who was told to move the file away would lose the log.
        raise _unusable_now(path, problem) from problem
    except sqlite3.DatabaseError as problem:
        raise DatabaseError(
            f"{path} is not a usable database ({problem}). Move it away and restore a copy, or start with a new one."
        ) from problem


def _back_up(path: Path, backups: Path, *, revision: str, now_ms: int) -> Path:
    target = backups / f"aileron-{now_ms:015d}-{revision}.db"
    try:
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except (OSError, sqlite3.Error) as problem:
        # Half a copy must not be taken for a whole one, nor count among the copies that are kept.
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise DatabaseError(
            f"{path} has to be upgraded, and no copy of it could be made first in {backups} ({problem}). "
            "The database was left as it is; make room and start again."
        ) from problem
    for old in sorted(backups.glob("aileron-*.db"))[:-_KEPT_BACKUPS]:
        old.unlink(missing_ok=True)
    return target
