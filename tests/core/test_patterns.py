import itertools
import time

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.patterns import MAX_MATCHED_LENGTH, Pattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("^#[a-z-]+$", "#eng-team", "#eng\n"),
        ("b", "abc", "acd"),
        (r"^\d+$", "123", "\u0661\u0662"),
        (r"^[\d-]+$", "1-2", "a"),
        (r"^\w+$", "a_1", "é"),
        (r"^\D\W$", "a-", "1a"),
        (r"^[^\D]$", "1", "a"),
        (r"\bcat\b", "a cat.", "concat"),
        ("^.$", "é", "\n"),
        ("^.$", "a", "\u2028"),
        (r"^(?:ab|cd){2,3}$", "abcd", "ab"),
        (r"^[\]\[\\]$", "[", "a"),
        (r"^\p{L}+$", "\u00e9a", "1"),
        (r"^\u0041\x42\/\-$", "AB/-", "ab"),
        (r"^a+?$", "aa", "b"),
    ],
)
def test_patterns_mean_what_json_schema_says(pattern: str, yes: str, no: str) -> None:
    compiled = Pattern(pattern)
    assert compiled.matches(yes)
    assert not compiled.matches(no)


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "[", "a{2,1}", "*a", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?i)a", "(?P<n>a)", "(?<n>a)",
        "(?>a)", "a++", "a*+", "a?+", "a{2}+", "a*{2}", "a?{2}", "a**",
        "a+?+", "a+??", r"\A", r"\Z", r"\z", r"\B", r"\cA", r"\0", r"\k<n>", "\\", "[a&&b]",
        "[a--b]", "[a~~b]", "[[a]]", "[[:alpha:]]", "[]", "[]a]", "[^]", "[z-a]", r"[\b]", r"\ud800", r"\p{Nonsense}",
        "(?:a{1000}){1000}", "a" * 257, "(?", "(?#comment)",
    ],
)  # fmt: skip
def test_patterns_that_readers_disagree_on_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert str(caught.value)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^(?:a?){100}a{100}$", "a.*a.*a.*a.*a.*b"])
def test_no_pattern_makes_matching_take_forever(pattern: str) -> None:
    compiled = Pattern(pattern)
    started = time.thread_time()  # of the processor: others may take it from us for a while
    compiled.matches("a" * (MAX_MATCHED_LENGTH - 1) + "!")
    assert time.thread_time() - started < 2


def test_a_text_that_is_too_long_to_match_does_not_match() -> None:
    assert not Pattern("a").matches("a" * (MAX_MATCHED_LENGTH + 1))


parts = st.sampled_from(
    [
        "a",
        "b",
        "1",
        "_",
        "-",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        r"\D",
        r"\W",
        r"[\d_]",
        ".",
        "^",
        "$",
        "*",
        "+",
        "?",
        "{2}",
        "(",
        ")",
        "(?:",
        "|",
        r"\.",
        r"\b",
    ]
)


def test_every_short_pattern_agrees_with_another_implementation_of_json_schema() -> None:
    pieces = ("a", "[ab]", r"\d", r"\W", ".", "^", "$", "*", "+", "?", "{2}", "(", ")", "(?:", "|", r"\b")
    for size in (1, 2, 3):
        for pattern in map("".join, itertools.product(pieces, repeat=size)):
            try:
                compiled = Pattern(pattern)
            except PatternError:
                continue
            try:
                other = jsonschema_rs.Draft202012Validator({"pattern": pattern})
            except jsonschema_rs.ValidationError:
                continue
            for text in ("", "a", "\n", "_", "1a"):
                assert compiled.matches(text) == other.is_valid(text), (pattern, text)


@given(st.lists(parts, max_size=6).map("".join), st.text("ab1_-.\n", max_size=5))
def test_a_pattern_agrees_with_another_implementation_of_json_schema(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except PatternError:
        return
    try:
        validator = jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except jsonschema_rs.ValidationError:
        return
    assert compiled.matches(text) == validator.is_valid(text)


@given(st.text() | st.lists(parts | st.sampled_from(["\\", "[", "]", "(?", "{", "}", "&&"])).map("".join), st.text())
def test_any_text_is_a_pattern_or_a_pattern_error(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except PatternError:
        return
    assert compiled.matches(text) in {True, False}
