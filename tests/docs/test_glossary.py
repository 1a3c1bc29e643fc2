"""The glossary gives each word one meaning, and points to a module that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!word|---)([^|]+) \| ([^|]+) \| `([^`]+)` \|$", TEXT, re.MULTILINE)


def test_each_word_has_one_meaning() -> None:
    words = [word for word, _, _ in ROWS]
    assert len(words) > 40
    assert sorted(set(words)) == sorted(words)
    assert [word for word, meaning, _ in ROWS if not meaning.endswith(".")] == []


def test_each_word_points_to_a_module_that_exists() -> None:
    assert [(word, place) for word, _, place in ROWS if not (ROOT / place).exists()] == []


def test_no_line_of_the_tables_is_malformed() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(lines) == len(ROWS) + sum(line.startswith("| word |") for line in lines)
