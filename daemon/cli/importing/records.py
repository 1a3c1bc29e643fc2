"""What was taken out of which file: written before anything is changed, so that a killed import can be finished."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from daemon.base.files import create_file, replace_file, sync_folder
from daemon.cli.failure import CliFailure

_VERSION = 1
_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Taken:
    """One entry: where it stood, which server it became, and the secrets of the vault that were made for it."""

    key: tuple[str, ...]
    server: str
    secrets: tuple[str, ...]
    adds: bool = False
    """Whether this import adds the server; the same one of another agent's file was there before."""
    identity: str | None = None
    """What the server was when this import had added it; None before that."""


@dataclass(frozen=True, slots=True)
class Record:
    """One file that servers were taken out of.

    begun --the file is changed--> done --restored--> (gone)
      |
      +--imported again, which finishes it--> done
    """

    number: int
    agent: str
    file: str
    syntax: str
    project: str | None
    done: bool
    before: str
    after: str
    entries: tuple[Taken, ...]

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """Return where the entries stood."""
        return [taken.key for taken in self.entries]


class Records:
    """The records of a home, in one folder of files that only their owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other import and restore of this home away."""
        from daemon.lifecycle.lock import FileLock

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self._folder / "lock")
        if not lock.acquire(seconds=_WAIT_SECONDS):
            raise CliFailure(
                f"another import or restore is running (process {lock.holder()}); nothing was changed",
                remedy="Wait for its end, then run this again.",
            )
        try:
            yield
        finally:
            lock.release()

    def all(self) -> list[Record]:
        """Return them, the oldest first."""
        if not self._folder.is_dir():
            return []
        paths = sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        return [_read(path) for path in paths]

    def new(self, **given: Any) -> Record:
        """Write a record of what is about to be done."""
        number = max((record.number for record in self.all()), default=0) + 1
        record = Record(number=number, done=False, **given)
        create_file(self._path(record), _written(record))
        return record

    def change(self, record: Record, **given: Any) -> Record:
        """Write a record again."""
        changed = replace(record, **given)
        replace_file(self._path(record), _written(changed))
        return changed

    def remove(self, record: Record) -> None:
        """Forget a record."""
        self._path(record).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.number:06}.json"


def reserved(records: Sequence[Record], file: str) -> dict[tuple[str, ...], Taken]:
    """Return the names that a killed import gave to the entries of a file."""
    return {
        taken.key: taken for record in records if record.file == file and not record.done for taken in record.entries
    }


def _written(record: Record) -> bytes:
    return (json.dumps({"version": _VERSION} | asdict(record), indent=1) + "\n").encode()


def _read(path: Path) -> Record:
    try:
        held = json.loads(path.read_bytes())
        if held.pop("version") != _VERSION:
            raise ValueError
        entries = tuple(
            Taken(tuple(each["key"]), each["server"], tuple(each["secrets"]), each["adds"], each["identity"])
            for each in held.pop("entries")
        )
        return Record(**held, entries=entries)
    except OSError as problem:
        raise CliFailure(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, TypeError, KeyError) as problem:
        raise CliFailure(
            f"{path} is no record of an import that this version understands",
            remedy=f"If it is damaged, move it away: mv {path} {os.fspath(path)}.damaged",
        ) from problem
