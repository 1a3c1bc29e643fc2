"""Reads an export into a scratch database, and finds what only a file of lines can suffer."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from daemon.audit.damage import Problem
from daemon.audit.events import GENESIS, chain_hash
from daemon.audit.export_lines import BEGINS, CHECKPOINT, ENDS, GAP_FILTERS, VERSION, checkpoint_row, rendered, row_of
from daemon.audit.stored_rows import Row

_MAX_LINE = 16 * 2**20
_MAX_PROBLEMS = 100
_TABLES = """
CREATE TABLE audit_events (seq INTEGER PRIMARY KEY, id, time, type, session, actor, action, connector, failure_class,
    payload, prev_hash, hash);
CREATE TABLE audit_checkpoints (seq INTEGER PRIMARY KEY, hash, time, key_id, signature);
"""
_PUT_EVENT = "INSERT OR IGNORE INTO audit_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_CHECKPOINT = "INSERT OR IGNORE INTO audit_checkpoints VALUES (?, ?, ?, ?, ?)"


class ExportReader:
    """One reading of one file; `scratch` then holds what a log holds, and `problems` what is wrong with the lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Without a name, SQLite keeps it in a file of its own that is gone when the connection is closed.
        self.scratch = sqlite3.connect("", isolation_level=None)
        self.scratch.executescript(_TABLES)
        self.problems: list[Problem] = []
        self.about: dict[str, Any] = {}
        self.filters: dict[str, Any] = {}
        self.began = False
        """Whether there is a first line that says what this is; exports of older versions have none."""
        self.events = self.checkpoints = 0
        self.first = self.last = self.last_signed = 0
        self.before = GENESIS
        """The hash that the first event names as the one before it."""
        self._previous_hash: str | None = None
        self._ended: int | None = None

    @property
    def is_stretch(self) -> bool:
        """Say whether this was asked to be a part of the log."""
        return bool(self.filters)

    @property
    def has_gaps(self) -> bool:
        """Say whether events in between were left out."""
        return any(name in self.filters for name in GAP_FILTERS)

    def close(self) -> None:
        """Drop the scratch database."""
        self.scratch.close()

    def read(self) -> None:
        """Read all lines; raises OSError."""
        self.scratch.execute("BEGIN")
        number = 0
        with self._path.open("rb") as file:
            for number, raw in enumerate(_lines(file), start=1):
                self._take(number, raw)
        self.scratch.execute("COMMIT")
        if self.began and self._ended is None:
            self._add("cut", f"The export is cut off behind line {number}{self._behind()}: its last line is missing.")

    def _behind(self) -> str:
        return f" (event {self.last})" if self.last else ""

    def _add(self, kind: str, message: str, *, seq: int | None = None) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(kind=kind, seq=seq, event_id=None, message=message))

    def _take(self, number: int, raw: bytes) -> None:
        line = _parsed(raw)
        if line is None:
            what = "is cut off" if not raw.endswith(b"\n") else "is not JSON"
            self._add("modified", f"Line {number} {what}{self._place()}.", seq=self.last or None)
            return
        if self._ended is not None:
            self._add("inserted", f"Line {number} comes behind the end of the export, which is line {self._ended}.")
        kind = line.get("type")
        if self.began and raw != rendered(line).encode() + b"\n":
            self._add("modified", f"Line {number} was changed{self._place()}.", seq=self.last or None)
        try:
            if kind == BEGINS:
                self._begin(number, line)
            elif kind == CHECKPOINT:
                self._take_checkpoint(number, checkpoint_row(line))
            elif kind == ENDS:
                self._end(number, line)
            else:
                self._take_event(number, row_of(line, prev_hash=None if self.began else self._guessed(line)))
        except ValueError as problem:
            self._add("modified", f"Line {number} cannot be read: {problem}{self._place()}.", seq=self.last or None)

    def _place(self) -> str:
        return f"; it stands behind event {self.last}" if self.last else ""

    def _guessed(self, line: Mapping[str, Any]) -> str:
        """Return what an event of an older export must name as the one before it: that lies on the line before."""
        if self._previous_hash is None or line.get("seq") != self.last + 1:
            return GENESIS if line.get("seq") == 1 else "?"
        return self._previous_hash

    def _begin(self, number: int, line: dict[str, Any]) -> None:
        if number != 1:
            raise ValueError("it begins another export in the middle of this one")
        if line.get("version") != VERSION:
            raise ValueError(f"the export is of version {line.get('version')}, and this program knows {VERSION}")
        self.began = True
        self.about = line
        given = line.get("filter")
        self.filters = given if isinstance(given, dict) else {}
        if rendered(line) != rendered({"type": BEGINS, **{name: line.get(name) for name in _ABOUT}}):
            raise ValueError("it has not the fields of a first line")

    def _take_event(self, number: int, row: Row) -> None:
        seq = row[0]
        if not self.events:
            self.first, self.before = seq, row[10]
        if seq <= self.last:
            self._misplaced(number, row)
        elif self.has_gaps and _own_hash(row) != row[11]:
            self._add("modified", f"Event {seq} ({row[1]}, line {number}) was changed after it was written.", seq=seq)
        self.scratch.execute(_PUT_EVENT, row)
        self.events += 1
        self.last = max(self.last, seq)
        self._previous_hash = row[11]

    def _misplaced(self, number: int, row: Row) -> None:
        seq = row[0]
        there = self.scratch.execute("SELECT * FROM audit_events WHERE seq = ?", (seq,)).fetchone()
        if there is None:
            self._add("reordered", f"Event {seq} stands behind event {self.last} (line {number}).", seq=seq)
        else:
            same = "is repeated" if there == row else "is there twice, and not the same"
            self._add("inserted", f"Event {seq} {same} (line {number}).", seq=seq)

    def _take_checkpoint(self, number: int, row: Row) -> None:
        seq = row[0]
        if seq != self.last:
            message = f"The checkpoint at event {seq} stands behind event {self.last} (line {number})."
            self._add("reordered", message, seq=seq)
        if not self.scratch.execute(_PUT_CHECKPOINT, row).rowcount:
            self._add("inserted", f"The checkpoint at event {seq} is repeated (line {number}).", seq=seq)
        self.checkpoints += 1
        self.last_signed = max(self.last_signed, seq)

    def _end(self, number: int, line: Mapping[str, Any]) -> None:
        self._ended = number
        if set(line) != {"type", "events", "checkpoints"}:
            raise ValueError("it has not the fields of a last line")
        for name, found in (("events", self.events), ("checkpoints", self.checkpoints)):
            if line[name] != found:
                message = f"The last line speaks of {line[name]} {name}, and there are {found}."
                self._add("incomplete", message, seq=self.last or None)


_ABOUT = ("version", "filter", "key_id", "public_key", "head")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while raw := file.readline(_MAX_LINE):
        yield raw


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
        return line if isinstance(line, dict) and raw.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None


def _own_hash(row: Row) -> str | None:
    try:
        return chain_hash(row[0], *row[1:11])
    except (TypeError, ValueError):
        return None
