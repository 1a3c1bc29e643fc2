"""Proves an export, away from the daemon and its home: no vault, no database, only the file and the public key.

The lines are put into a scratch database, and the same check looks at it that the daemon has for its own log. So an
export of any size is checked in little memory. What only a file of lines can suffer (a line that is repeated, out of
its place, written otherwise, cut off) is found while it is read.

What is proved rests on the key. The one in the export itself proves nothing of where it comes from: whoever writes an
export anew can put in a key of their own.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.audit.events import GENESIS
from daemon.audit.export import ExportedHead
from daemon.audit.export_reading import ExportReader
from daemon.audit.signing import key_id_of, read_public_pem
from daemon.audit.verification import VerifyReport, verify


class NoExportError(ValueError):
    """The file cannot be checked at all; the message says why."""


@dataclass(slots=True, kw_only=True)
class ExportReport:
    """What was found, and what it proves."""

    checked: VerifyReport
    first: int = 0
    last: int = 0
    whole: bool = False
    """Whether it begins with the first event of the log and ends at the signed head."""
    key_id: str | None = None
    """The given key, if one was given."""
    head_time: str | None = None
    signed_to: int = 0
    """The last event that a signature covers, if all between is whole."""
    filters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether nothing is wrong with it."""
        return self.checked.ok


def read_key(path: Path) -> bytes:
    """Return the public key of a file that `aileron audit key` wrote; raises NoExportError and OSError."""
    try:
        return read_public_pem(path.read_bytes())
    except ValueError as problem:
        raise NoExportError(f"{path} is not a public key of an audit log: {problem}") from problem


def verify_export(
    path: Path, *, key: bytes | None, anchors: Sequence[ExportedHead] = (), part: bool = False
) -> ExportReport:
    """Check an export; `part` says that a stretch of the log is what was expected. Raises NoExportError and OSError."""
    with closing(ExportReader(path)) as read:
        read.read()
        if not read.events and not read.began:
            raise NoExportError(f"{path} holds no export of an audit log: its first line is none of one")
        head, head_problem = _head_of(read.about)
        keys = _keys(read.about, key)
        report = ExportReport(
            checked=_checked(read, keys, [*anchors, *([] if head is None else [head])], key),
            first=read.first,
            last=read.last,
            key_id=None if key is None else key_id_of(key),
            head_time=None if head is None else head.time,
            filters=read.filters,
        )
    for problem in read.problems:
        report.checked.problems.append(problem)
    if head_problem:
        report.checked.add("no_head", head_problem)
    elif head is None and not anchors:
        report.checked.add(
            "no_head",
            "The export carries no signed head, so events that were cut off at its end are not noticed. Either the "
            "log was damaged when it was exported, the export is of an older version, or somebody took the head out.",
        )
    _judge_extent(report, read, head, part=part)
    report.checked.problems.sort(key=lambda problem: problem.seq or 0)
    return report


def _checked(
    read: ExportReader, keys: Mapping[str, bytes], heads: Sequence[ExportedHead], key: bytes | None
) -> VerifyReport:
    if read.has_gaps:
        # Nothing links events with others left out in between. Each line was held against its own hash when read.
        report = VerifyReport(events=read.events, head_seq=read.last)
        asked = ", ".join(f"{name}={value}" for name, value in read.filters.items())
        report.add(
            "filtered",
            f"The export holds only some events ({asked}). Nothing links them, so it proves neither that they are "
            "genuine nor that none is missing. Export without such a filter to have that proved.",
        )
    else:
        # Only a stretch that was asked for may begin later than the log.
        start = (read.first - 1, read.before) if read.filters and read.first > 1 else (0, GENESIS)
        within = [each for each in heads if not read.is_stretch or each.seq <= read.last]
        report = verify(read.scratch, public_keys=keys, anchors=within, start=start, begun=True, pages=False)
    if key is not None and read.began and read.about.get("public_key") != key.hex():
        message = f"The export names another key ({read.about.get('key_id')}) than the given one ({key_id_of(key)})."
        report.add("wrong_key", message)
    elif read.began and read.about.get("key_id") not in keys:
        report.add("wrong_key", "The export names a key and the id of another one.")
    return report


def _judge_extent(report: ExportReport, read: ExportReader, head: ExportedHead | None, *, part: bool) -> None:
    reached = head is not None and read.last == head.seq
    report.whole = not read.filters and (read.first == 1 or read.events == 0)
    report.signed_to = read.last if reached else read.last_signed
    if part or read.has_gaps or not read.filters:
        return
    asked = ", ".join(f"{name}={value}" for name, value in read.filters.items())
    which = f"events {read.first} to {read.last}" if read.events else "no event"
    report.checked.add("part", f"The export holds {which} only ({asked}). If that is what you expect, pass --part.")


def _keys(about: Mapping[str, Any], key: bytes | None) -> dict[str, bytes]:
    if key is not None:
        return {key_id_of(key): key}
    try:
        own = bytes.fromhex(str(about.get("public_key", "")))
    except ValueError:
        own = b""
    return {key_id_of(own): own} if own else {}


def _head_of(about: Mapping[str, Any]) -> tuple[ExportedHead | None, str]:
    given = about.get("head")
    if given is None:
        return None, ""
    try:
        return ExportedHead.from_json(given), ""
    except (ValueError, TypeError, AttributeError) as problem:
        return None, f"The head in the export cannot be used: {problem}."
