"""What a person decides by can be seen: checked for every code point there is."""

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.visible import is_hidden, name_of, pieces, visible

VECTOR = Path(__file__).parents[1] / "vectors" / "default-ignorable-14.txt"
WITH_INK = frozenset("LMNPS")


def ignorable() -> set[int]:
    """Return the code points that renderers are told to show as nothing."""
    found: set[int] = set()
    for line in VECTOR.read_text().splitlines():
        if not line.startswith("#"):
            first, last = (int(end, 16) for end in line.split(".."))
            found.update(range(first, last + 1))
    return found


def test_of_all_code_points_only_those_with_ink_and_the_plain_space_are_shown_as_they_are() -> None:
    nothing = ignorable()
    shown = {code for code in range(sys.maxunicode + 1) if not is_hidden(chr(code))}
    assert not shown & nothing
    inkless = {code for code in shown if unicodedata.category(chr(code))[0] not in WITH_INK}
    assert inkless == {ord(" "), ord("\n"), ord("\t")}


def test_of_all_code_points_none_with_ink_is_hidden() -> None:
    allowed = ignorable() | {0x2800, 0x16FE4, 0x1D159}
    hidden = {code for code in range(sys.maxunicode + 1) if is_hidden(chr(code))}
    assert {code for code in hidden - allowed if unicodedata.category(chr(code))[0] in WITH_INK} == set()


@pytest.mark.parametrize(
    "filler",
    ["\u3164", "\u115f", "\u1160", "\u2800", "\uffa0", "\u034f", "\ufe0f", "\U000e0041", "\U000e0100", "\u00a0",
     "\u2003", "\u3000", "\u200b", "\u202e", "\u2066", "\u00ad", "\ufeff", "\u2028", "\ue000", "\u0378", "\x1b"],
    ids=ascii,
)  # fmt: skip
def test_a_filler_between_two_words_is_a_mark(filler: str) -> None:
    assert visible(f"pay{filler}me") == f"pay\\u{{{ord(filler):x}}}me"
    assert list(pieces(f"pay{filler}me")) == [("pay", False), (filler, True), ("me", False)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p\u0430ypal.example", "p\\u{430}ypal.example"),
        ("\u0391pple", "\\u{391}pple"),
        ("\uff41pple", "\\u{ff41}pple"),
        ("\U0001d41apple", "\\u{1d41a}pple"),
        ("Привет, мир", "Привет, мир"),
        ("Αθήνα and Москва", "Αθήνα and Москва"),
        ("Grüße naïve 日本語text 한국어", "Grüße naïve 日本語text 한국어"),
    ],
)
def test_a_letter_that_poses_as_a_latin_one_is_a_mark_and_other_scripts_stay(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_pile_of_combining_marks_cannot_cover_the_lines_around_it() -> None:
    assert visible("a" + "\u0301" * 4) == "a" + "\u0301" * 4
    assert visible("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + "\\u{301}" * 2
    assert visible("a\u0301b\u0301c\u0301d\u0301e\u0301") == "a\u0301b\u0301c\u0301d\u0301e\u0301"


@given(st.text(st.characters()))
def test_nothing_is_lost_nothing_hidden_is_left_and_twice_is_once(text: str) -> None:
    assert "".join(run for run, _ in pieces(text)) == text
    shown = visible(text)
    assert not any(is_hidden(character) for character in shown)
    assert visible(shown) == shown


def test_a_mark_can_be_named() -> None:
    assert name_of("\u202e") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    assert name_of("\ue000") == "U+E000"
