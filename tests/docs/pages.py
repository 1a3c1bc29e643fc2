"""Reads the blocks of a page that a reader would type, and what invisible comments say of them.

A block fenced as `sh` is what the reader runs. A comment in the line before says more:

    <!-- file: PATH -->           the block, of any language, is what the reader writes into this file
    <!-- ends with: 75 -->        the exit code; 0 if nothing is said
    <!-- answered by: WORDS -->   at a terminal the command asks; here it is given these words more
    <!-- not run: REASON -->      cannot run here, and why
"""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z ]+): (?P<said>.+?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"^<!-- (?P<mark>file|ends with|answered by|not run): ", re.MULTILINE)
MARKS = frozenset({"file", "ends with", "answered by", "not run"})


@dataclass(frozen=True)
class Block:
    """One fenced block; without a mark, both words about it are empty."""

    language: str
    text: str
    mark: str
    said: str
    section: str
    """The heading it stands below."""

    @property
    def is_run(self) -> bool:
        """Whether its lines are commands that are carried out here."""
        return self.language == "sh" and self.mark not in ("file", "not run")

    @property
    def ends_with(self) -> int:
        """The exit code that the page promises."""
        return int(self.said) if self.mark == "ends with" else 0


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, from top to bottom. Raises ValueError at a mark that belongs to no block."""
    text = page.read_text()
    found = [_block(match, text) for match in _BLOCK.finditer(text)]
    unknown = {block.mark for block in found} - MARKS - {""}
    marked = sum(1 for block in found if block.mark)
    if unknown or marked != len(_MARK.findall(text)):
        raise ValueError(f"{page.name}: a mark is unknown {sorted(unknown)}, or stands in front of no fenced block")
    return found


def _block(match: "re.Match[str]", page: str) -> Block:
    headings = re.findall(r"^##+ (.+)$", page[: match.start()], re.MULTILINE)
    return Block(
        language=match["language"],
        text=match["text"],
        mark=match["mark"] or "",
        said=match["said"] or "",
        section=headings[-1] if headings else "",
    )
