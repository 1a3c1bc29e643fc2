"""What a page shows of a text: whole or folded with a count, with every hidden character as a mark of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup, escape

from daemon.core.references import Parts, Reference
from daemon.core.visible import name_of, pieces

FOLDED_CHARACTERS = 4_000
FOLDED_LINES = 60
"""A longer text is folded: the page stays one that is read, and what is not on it is said beside it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A text on the page, and how much of it is not there."""

    parts: Parts
    characters: int
    lines: int
    left_out: int

    @property
    def html(self) -> Markup:
        """Return the text as HTML; results of earlier steps are named where they will stand."""
        return Markup("").join(_result(part) if isinstance(part, Reference) else marked(part) for part in self.parts)


def block(parts: Iterable[str | Reference], *, whole: bool) -> Block:
    """Make a block of a text; all of it if `whole`, else the beginning of a long one."""
    parts = tuple(parts)
    texts = [part for part in parts if isinstance(part, str)]
    characters, lines = sum(map(len, texts)), 1 + sum(text.count("\n") for text in texts)
    if whole or (characters <= FOLDED_CHARACTERS and lines <= FOLDED_LINES):
        return Block(parts, characters, lines, left_out=0)
    kept: list[str | Reference] = []
    room, rows = FOLDED_CHARACTERS, FOLDED_LINES
    for part in parts:
        if isinstance(part, Reference):
            kept.append(part)
            continue
        piece = "\n".join(part[:room].split("\n")[:rows])
        kept.append(piece)
        room, rows = room - len(piece), rows - piece.count("\n")
        if len(piece) < len(part):
            break
    shown = sum(len(part) for part in kept if isinstance(part, str))
    return Block(tuple(kept), characters, lines, left_out=characters - shown)


def marked(text: str) -> Markup:
    """Return a text as HTML in which hidden characters are marks that no text can imitate.

    A run of the same one is one mark with its number: an agent can send a million of them.
    """
    shown: list[str] = []
    for (hidden, run), same in groupby((hidden, run) for run, hidden in pieces(text)):
        shown.append(_mark(run, sum(1 for _ in same)) if hidden else str(escape(run)))
    return Markup("".join(shown))  # noqa: S704 -- every part was escaped above


@lru_cache(maxsize=1024)
def _mark(character: str, times: int) -> str:
    count = f" ×{times:,}" if times > 1 else ""  # noqa: RUF001 -- the sign for multiplication, for a reader
    return str(Markup('<mark title="{}">U+{:04X}{}</mark>').format(name_of(character), ord(character), count))


def _result(reference: Reference) -> Markup:
    return Markup('<span class="result">result of step {}: {}</span>').format(reference.root, ".".join(reference.path))
