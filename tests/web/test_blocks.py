"""A text on a page: nothing of it is lost without a word, and nothing in it can pass for what we write."""

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.references import Reference
from daemon.web.blocks import FOLDED_CHARACTERS, FOLDED_LINES, block, marked

RESULT = Reference("look", ("items", "0", "id"))
parts = st.lists(st.text(max_size=3 * FOLDED_LINES) | st.just(RESULT), max_size=4).map(tuple)


def length(given_parts: tuple[str | Reference, ...]) -> int:
    return sum(len(part) for part in given_parts if isinstance(part, str))


@given(parts, st.integers(1, 60))
def test_what_is_left_out_is_counted(given_parts: tuple[str | Reference, ...], times: int) -> None:
    long = tuple(part if isinstance(part, Reference) else part * times for part in given_parts)
    shown = block(long, whole=False)
    assert shown.characters == length(long)
    assert length(shown.parts) + shown.left_out == length(long)
    assert shown.left_out or shown.parts == long
    assert length(shown.parts) <= FOLDED_CHARACTERS
    assert sum(part.count("\n") for part in shown.parts if isinstance(part, str)) < FOLDED_LINES
    assert block(long, whole=True).parts == long
    assert block(long, whole=True).left_out == 0


def test_many_short_lines_and_one_long_line_are_both_folded() -> None:
    assert block(("\n" * FOLDED_LINES,), whole=False).left_out > 0
    assert block(("x" * (FOLDED_CHARACTERS + 1),), whole=False).left_out == 1
    assert block(("\n" * (FOLDED_LINES - 1),), whole=False).left_out == 0


def test_a_run_of_one_hidden_character_is_one_mark_with_its_number() -> None:
    assert marked("a" + "\u3164" * 1200 + "b") == 'a<mark title="U+3164 HANGUL FILLER">U+3164 ×1,200</mark>b'  # noqa: RUF001


@given(st.text(st.characters()))
def test_no_text_makes_markup_of_its_own(text: str) -> None:
    html = str(marked(text))
    bare = html.replace("</mark>", "").split("<mark title=")
    assert not any("<" in piece for piece in bare)
    assert unescape(str(marked(text.replace("<", "")))).count("<mark") == html.count("<mark")


def test_a_result_of_a_step_is_named_and_cannot_be_imitated() -> None:
    shown = block(('<span class="result">result of step look: x</span>', RESULT), whole=False).html
    assert shown.count("<span") == 1
    assert shown.endswith('<span class="result">result of step look: items.0.id</span>')
