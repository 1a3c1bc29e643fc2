"""Values that are too large for a row of the log: each in a file of its own, named by its digest, under a quota.

The log keeps the digest and the size, so that the value can still be compared when its file is gone.
"""

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from daemon.base.files import replace_file

_SESSION = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NOBODY = "none"


@dataclass(frozen=True, slots=True)
class Attached:
    """What the log says of a value that lies in a file."""

    sha256: str
    size: int

    def as_json(self) -> dict[str, object]:
        """Return the form that stands in an event."""
        return {"sha256": self.sha256, "bytes": self.size}


class Attachments:
    """Keeps values below a folder, `<session>/<sha256>`; used by one thread at a time.

    When the quota is full, the oldest files of the session that holds the most are removed: a session that writes
    without end pushes out its own, and not what others left.
    """

    def __init__(self, folder: Path, *, quota: int) -> None:
        self._folder = folder
        self._quota = quota
        self._files: dict[str, dict[str, int]] = defaultdict(dict)
        self._removed = 0
        for path in sorted(folder.glob("*/*"), key=lambda each: each.stat().st_mtime_ns):
            if path.suffix:
                path.unlink()  # a draft that a killed daemon left
            else:
                self._files[path.parent.name][path.name] = path.stat().st_size
        self.size = sum(sum(files.values()) for files in self._files.values())

    def put(self, session: str | None, value: str) -> Attached:
        """Put a value on disk and return how the log names it; the file is durable when this returns."""
        raw = value.encode("utf-8", "surrogatepass")
        attached = Attached(hashlib.sha256(raw).hexdigest(), len(raw))
        name = _folder_name(session)
        if attached.sha256 not in self._files[name]:
            self._make_room(attached.size)
            place = self._folder / name
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(place / attached.sha256, raw)
            self._files[name][attached.sha256] = attached.size
            self.size += attached.size
        return attached

    def get(self, session: str | None, sha256: str) -> str | None:
        """Return a value, or None if its file is gone or no longer what was recorded."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            return None
        try:
            raw = (self._folder / _folder_name(session) / sha256).read_bytes()
        except FileNotFoundError:
            return None
        return raw.decode("utf-8", "surrogatepass") if hashlib.sha256(raw).hexdigest() == sha256 else None

    def take_removed(self) -> int:
        """Return how many files were removed for want of room since this was asked last."""
        removed, self._removed = self._removed, 0
        return removed

    def _make_room(self, size: int) -> None:
        while self.size + size > self._quota and self.size:
            fattest = max(self._files, key=lambda name: sum(self._files[name].values()))
            oldest = next(iter(self._files[fattest]))
            (self._folder / fattest / oldest).unlink(missing_ok=True)
            self.size -= self._files[fattest].pop(oldest)
            self._removed += 1


def _folder_name(session: str | None) -> str:
    if session is None:
        return _NOBODY
    if not _SESSION.fullmatch(session):
        raise ValueError(f"{session!r} is not the id of a session")
    return session
