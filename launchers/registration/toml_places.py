"""Where tables stand in a TOML text: a line inside a string or an array of several lines is no header."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)
_EMPTY = re.compile(r"[ \t]*(?:[\r\n#]|\Z)")
_HEADER = re.compile(r"[ \t]*\[")


@dataclass(frozen=True, slots=True)
class Table:
    """A header with the keys below it, and not with the comments and empty lines behind the last of them."""

    path: tuple[str, ...]
    start: int
    end: int


def read_tables(text: str) -> list[Table]:
    """Return the tables of a valid text in their order."""
    starts = [start for start in _statements(text) if not _EMPTY.match(text, start)]
    found: list[Table] = []
    for start, following in zip(starts, [*starts[1:], len(text)], strict=True):
        end = _end(text, start, following)
        if _HEADER.match(text, start):
            found.append(Table(_path(text[start:end]), start, end))
        elif found:
            found[-1] = Table(found[-1].path, found[-1].start, end)
    return found


def _statements(text: str) -> list[int]:
    """Return where lines begin that continue nothing."""
    starts, depth = [0], 0
    for match in _TOKEN.finditer(text):
        match match.group():
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                starts.append(match.end())
    return starts


def _end(text: str, start: int, following: int) -> int:
    """Return where a statement ends, with its line; comments and empty lines behind it belong to nobody."""
    ends = [place for place in _statements(text[start:following]) if place]
    return start + ends[0] if ends else following


def _path(header: str) -> tuple[str, ...]:
    below: Any = tomllib.loads(header.strip())
    path: list[str] = []
    while isinstance(below, dict) and len(below) == 1:
        name, below = next(iter(below.items()))
        path.append(name)
        if isinstance(below, list):
            break
    return tuple(path)
