"""Reads a log that is rotated: its last lines, and those that come, without losing any when a file is moved on."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_NUMBERED = 100
"""More moved files than any log of ours keeps."""


def files_of(path: Path) -> list[Path]:
    """Return the files of a log that are there, the newest first: `x`, then `x.1`, `x.2` and so on."""
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, _NUMBERED))]
    found = []
    for place, name in enumerate(names):
        if name.is_file():
            found.append(name)
        elif place > 1:  # in the middle of a move the newest is away for a moment
            break
    return found


def last_lines(path: Path, most: int) -> list[str]:
    """Return the last whole lines of a log."""
    lines: list[str] = []
    for each in files_of(path):
        if len(lines) >= most:
            break
        try:
            text = each.read_bytes()
        except FileNotFoundError:
            continue  # it was moved just now, and stands under another name
        lines = _whole_lines(text) + lines
    return lines[len(lines) - most :] if most < len(lines) else lines


@dataclass(slots=True)
class Follower:
    """Reads what is written to a log from a moment on.

    It holds the file that it reads. When another file has come in its place, it reads the rest of the old one first,
    then every file between, then the new one.
    """

    path: Path
    _descriptor: int | None = None
    _rest: bytes = field(default=b"", repr=False)

    def begin(self) -> None:
        """Take the end of the log, as it is now, for the beginning."""
        self._descriptor = _opened(self.path)
        if self._descriptor is not None:
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def close(self) -> None:
        """Give up the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def new_lines(self) -> list[str]:
        """Return the whole lines that were written since the last call."""
        if self._descriptor is None:
            self._descriptor = _opened(self.path)
            if self._descriptor is None:
                return []
        text = self._rest + _read_on(self._descriptor)
        for later in self._files_after():
            os.close(self._descriptor)
            self._descriptor = later
            text += _read_on(later)
        *_, self._rest = text.rpartition(b"\n")
        return _whole_lines(text)

    def _files_after(self) -> list[int]:
        """Open the files that came after the one that is held, the oldest first; read its rest once more before."""
        held = _identity(self._descriptor)
        opened: list[int] = []
        for name in files_of(self.path):
            descriptor = _opened(name)
            if descriptor is None:
                continue
            if _identity(descriptor) == held:
                os.close(descriptor)
                break
            opened.append(descriptor)
        return opened[::-1]


def follow(follower: Follower, *, pause: Callable[[], None]) -> Iterator[str]:
    """Yield every line that comes, for ever."""
    while True:
        yield from follower.new_lines()
        pause()


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _identity(descriptor: int | None) -> tuple[int, int] | None:
    if descriptor is None:
        return None
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _read_on(descriptor: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, 1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def _whole_lines(text: bytes) -> list[str]:
    # Not splitlines: it also splits at U+2028 and friends, which a line may hold.
    return [line.decode(errors="replace") for line in text.split(b"\n")[:-1]]
