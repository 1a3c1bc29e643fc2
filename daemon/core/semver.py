"""Strict Semantic Versioning 2.0.0: exact versions and their order."""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

MAX_VERSION_LENGTH = 128

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRERELEASE_PART = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_PRERELEASE_PART}(?:\.{_PRERELEASE_PART})*))?"
    r"(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


class VersionError(ValueError):
    """A text is not a strict semantic version."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """One exact version; build metadata is part of its identity and only breaks ties in the order."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()
    build: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read a version such as 1.2.0 or 2.0.0-rc.1; ranges and shortened forms are refused."""
        match = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION_LENGTH else None
        if match is None:
            shown = text if len(text) <= 40 else f"{text[:40]}..."
            raise VersionError(f"{shown!r} is not an exact version; write three numbers, like 1.2.0.")
        return cls(
            major=int(match["major"]),
            minor=int(match["minor"]),
            patch=int(match["patch"]),
            prerelease=tuple(match["prerelease"].split(".")) if match["prerelease"] else (),
            build=tuple(match["build"].split(".")) if match["build"] else (),
        )

    def __str__(self) -> str:
        """Write the version the way it was read."""
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += "-" + ".".join(self.prerelease)
        if self.build:
            text += "+" + ".".join(self.build)
        return text

    def __lt__(self, other: object) -> bool:
        """Compare by precedence; versions that differ in build metadata only are ordered by it."""
        if not isinstance(other, Version):
            return NotImplemented
        return self._key() < other._key()

    def _key(self) -> tuple[Any, ...]:
        numbers = (self.major, self.minor, self.patch)
        # A release comes after its own prereleases.
        return (*numbers, not self.prerelease, _parts_key(self.prerelease), _parts_key(self.build), self.build)


def _parts_key(parts: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Numeric parts compare as numbers and come before words, as SemVer's rule 11 has it."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
