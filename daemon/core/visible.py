"""Makes hostile text safe to look at: what has no ink, steers, or poses as another letter is spelled out.

A person decides by what is on the screen. So a character stays as it is only if a reader can see it and tell it from
others. Everything else is a *hidden* character, and is shown as a mark that names its code point. Hidden are:

- controls, formats (they also turn the reading order), surrogates, private and unassigned code points, separators;
- what Unicode tells renderers to show as nothing (Default_Ignorable_Code_Point): fillers, variation selectors, tags;
- every space except the plain one, and the few glyphs that are blank;
- a letter of a script that is mistaken for Latin, when it stands in a word with Latin letters;
- combining marks in a pile higher than any language needs, which cover the lines around them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})

_DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Default_Ignorable_Code_Point of Unicode 14, from DerivedCoreProperties.txt; Python's own data lacks this property."""

# Blank by their drawing, although their category is that of a symbol or a mark: the empty braille pattern, the filler
# of the Khitan script, and the empty head of a musical note.
_BLANK = frozenset({0x2800, 0x16FE4, 0x1D159})

_ALWAYS_SHOWN = frozenset({" ", "\n", "\t"})
_UNPLAIN = re.compile(r"[^\x20-\x7e\n\t]")
# A mark that was written before is no part of a word: what was made visible once is not changed by doing it again.
_MARK_OR_WORD = re.compile(r"\\u(?:\{[0-9a-f]+\}|[0-9a-f]{4})|[^\W_]+")
_POSING = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "FULLWIDTH", "GREEK", "LISU", "MATHEMATICAL"})
"""Scripts and styles with letters that look like Latin ones, by the first word of their characters' names."""

_MOST_MARKS = 4


def is_hidden(character: str) -> bool:
    """Say whether a character, by itself, cannot be seen for what it is."""
    return character not in _ALWAYS_SHOWN and _is_hidden(character)


@lru_cache(maxsize=4096)
def _is_hidden(character: str) -> bool:
    if unicodedata.category(character) in _HIDDEN_CATEGORIES:
        return True
    code = ord(character)
    return code in _BLANK or any(first <= code <= last for first, last in _DEFAULT_IGNORABLE)


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a text into runs that can be shown as they are (False) and single hidden characters (True)."""
    if text.isascii() and text.isprintable():
        if text:
            yield text, False
        return
    posing = _posing(text)
    marks = start = after_mark = 0
    for found in _UNPLAIN.finditer(text):
        place, character = found.start(), found[0]
        if unicodedata.combining(character):
            marks = marks + 1 if place == after_mark else 1
            after_mark = place + 1
        piled = after_mark == place + 1 and marks > _MOST_MARKS
        if not (piled or place in posing or is_hidden(character)):
            continue
        if start < place:
            yield text[start:place], False
        yield character, True
        start = place + 1
    if start < len(text):
        yield text[start:], False


def spell_out(text: str, spelling: Callable[[str], str]) -> str:
    """Return a text with every hidden character written by `spelling`."""
    return "".join(spelling(run) if hidden else run for run, hidden in pieces(text))


def visible(text: str) -> str:
    r"""Return a text in which every hidden character is written as its code point, like \u{202e}."""
    return spell_out(text, _code_point)


def name_of(character: str) -> str:
    """Return the code point and, where there is one, the name of a character."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _code_point(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"


def _posing(text: str) -> frozenset[int]:
    """Return the places of letters that look like Latin ones inside words that have Latin letters, too."""
    if text.isascii():
        return frozenset()
    found: set[int] = set()
    for word in _MARK_OR_WORD.finditer(text):
        if word[0].isascii():
            continue
        scripts = [unicodedata.name(character, "").partition(" ")[0] for character in word[0]]
        if "LATIN" in scripts:
            found.update(word.start() + index for index, script in enumerate(scripts) if script in _POSING)
    return frozenset(found)
