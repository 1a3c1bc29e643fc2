"""The last member of a backup, which says what must be in it: a backup that was cut off or changed does not fit it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

FORMAT = 1
MANIFEST = "manifest.json"
INSIDE = "home/"
"""What the paths of the home's files begin with in the archive."""


class BackupError(Exception):
    """A backup cannot be made or used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a backup."""

    size: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where and when a backup was made, and where the log ended."""

    version: str
    revision: str
    made_at: str
    head_seq: int
    head_hash: str

    def as_json(self) -> dict[str, Any]:
        """Return it in the form that it is kept in."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; raises ValueError."""
        kinds = {"version": str, "revision": str, "made_at": str, "head_seq": int, "head_hash": str}
        if set(data) != set(kinds) or not all(type(data[name]) is kind for name, kind in kinds.items()):
            raise ValueError("it does not say where it comes from")
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about a backup."""

    about: About
    files: dict[str, Kept] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Write it down."""
        files = {path: asdict(kept) for path, kept in self.files.items()}
        return json.dumps({"format": FORMAT, "about": self.about.as_json(), "files": files}, indent=1).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read it back; raises BackupError."""
        try:
            data = json.loads(raw)
            if data["format"] != FORMAT:
                raise BackupError(
                    f"The backup has the form {data['format']}, and this program knows {FORMAT}. "
                    "Restore it with the version of Aileron that made it, or a newer one."
                )
            files = {str(path): Kept(**kept) for path, kept in data["files"].items()}
            return cls(about=About.from_json(data["about"]), files=files)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise BackupError("This is no backup of Aileron: its last part cannot be read.") from problem
