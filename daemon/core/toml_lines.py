"""On which line each value of a TOML text stands; the standard parser does not say.

The standard parser decides what is valid; the scan checks nothing. Where it loses its way it stops and keeps what
it has: a line number is a courtesy, never a reason to fail.
"""

import json
import re
from bisect import bisect_right
from contextlib import suppress

Path = tuple[str | int, ...]

MAX_SCAN_DEPTH = 64

_SPACE = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_BLANK = re.compile(r"[ \t]*+")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]++|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+'""")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^\s,\]}#\[{]++")


class _Lost(Exception):
    """The scan no longer knows where it is."""


def find_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every table, key and list element."""
    scanner = _Scanner(text)
    with suppress(_Lost):
        scanner.scan()
    return scanner.lines


def find_loss(text: str) -> int | None:
    """Return the line (from 1) on which a text stops being TOML that the scan can follow, such as an open quote."""
    scanner = _Scanner(text)
    try:
        scanner.scan()
    except _Lost:
        return scanner.line
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._position = 0
        self._starts = [match.end() for match in re.finditer(r"\n", text)]
        self._lengths: dict[Path, int] = {}

    @property
    def line(self) -> int:
        return bisect_right(self._starts, self._position) + 1

    def scan(self) -> None:
        table: Path = ()
        while True:
            self._skip(_SPACE)
            if self._position >= len(self._text):
                return
            if self._text[self._position] == "[":
                table = self._header()
            else:
                self._pair(table, 0)

    def _header(self) -> Path:
        many = self._text.startswith("[[", self._position)
        start = self._position
        self._position += 2 if many else 1
        *parents, last = self._key()
        self._expect("]]" if many else "]")
        path: Path = ()
        for part in parents:
            path = self._current((*path, part))
            self._note(path, start)
        path = (*path, last)
        self._note(path, start)
        if many:
            self._lengths[path] = self._lengths.get(path, 0) + 1
        path = self._current(path)
        self._note(path, start)
        return path

    def _current(self, path: Path) -> Path:
        """A name that stands for a list of tables means its latest one."""
        length = self._lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _pair(self, table: Path, depth: int) -> None:
        start = self._position
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._expect("=")
        self._value(path, depth)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_BLANK)
            parts.append(_plain_key(self._take(_KEY_PART)))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._position):
                return parts
            self._position += 1

    def _value(self, path: Path, depth: int) -> None:
        if depth > MAX_SCAN_DEPTH:
            raise _Lost
        self._skip(_BLANK)
        opening = self._text[self._position : self._position + 1]
        if opening == "[":
            self._list(path, depth)
        elif opening == "{":
            self._inline_table(path, depth)
        else:
            self._take(_STRING if opening in {'"', "'"} else _SCALAR)

    def _list(self, path: Path, depth: int) -> None:
        self._position += 1
        index = 0
        while True:
            self._skip(_SPACE)
            if self._text.startswith("]", self._position):
                self._position += 1
                return
            self._note((*path, index), self._position)
            self._value((*path, index), depth + 1)
            index += 1
            self._skip(_SPACE)
            if not self._text.startswith("]", self._position):
                self._expect(",")

    def _inline_table(self, path: Path, depth: int) -> None:
        self._position += 1
        while True:
            self._skip(_SPACE)
            if self._text.startswith("}", self._position):
                self._position += 1
                return
            self._pair(path, depth + 1)
            self._skip(_SPACE)
            if not self._text.startswith("}", self._position):
                self._expect(",")

    def _note(self, path: Path, position: int) -> None:
        if path not in self.lines:
            self.lines[path] = bisect_right(self._starts, position) + 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._position)
        if match is not None:
            self._position = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            raise _Lost
        self._position = match.end()
        return match[0]

    def _expect(self, wanted: str) -> None:
        self._skip(_BLANK)
        if not self._text.startswith(wanted, self._position):
            raise _Lost
        self._position += len(wanted)


def _plain_key(written: str) -> str:
    if written.startswith("'"):
        return written[1:-1]
    if not written.startswith('"'):
        return written
    try:
        return str(json.loads(written, strict=False))
    except ValueError:
        raise _Lost from None
