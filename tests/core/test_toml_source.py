import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.failures import DocumentError
from daemon.core.toml_lines import find_lines
from daemon.core.toml_source import TomlSource

DATA = Path(__file__).parents[1] / "data"

EVERYTHING = '''\
# a comment with [brackets] and = signs
title = "one # not a comment"  # line 2

[a.b]  # 4
"quoted \\u00e9".c = 1  # 5
'literal key' = 2
text = """
[not.a.table]
key = 1 \\""" still ""text"""""
after = 1  # 10
raw = \'\'\'
it's [[here]]\'\'\'  # 11
list = [  # 13
  1, [2, 3],  # 14
  # nothing
  { x = 1, y.z = [ "}", ']' ] },  # 16
]

[[c]]  # 19
d = 1
[c.e]  # 21
f = 2
[[c.g]]  # 23
h = 1
[[c.g]]
h = 2  # 26
[[c]]
d = 2  # 28
[[c.g]]
h = 3  # 30
[x]
y = { z = 1.5e3, w = 0x1F, t = true }  # 32
'''


def test_every_value_knows_its_line() -> None:
    source = TomlSource.parse(EVERYTHING, file="a.toml")
    expected: dict[tuple[str | int, ...], int] = {
        ("title",): 2,
        ("a",): 4,
        ("a", "b"): 4,
        ("a", "b", "quoted é"): 5,
        ("a", "b", "quoted é", "c"): 5,
        ("a", "b", "literal key"): 6,
        ("a", "b", "text"): 7,
        ("a", "b", "after"): 10,
        ("a", "b", "raw"): 11,
        ("a", "b", "list"): 13,
        ("a", "b", "list", 0): 14,
        ("a", "b", "list", 1, 1): 14,
        ("a", "b", "list", 2): 16,
        ("a", "b", "list", 2, "y", "z", 1): 16,
        ("c",): 19,
        ("c", 0): 19,
        ("c", 0, "d"): 20,
        ("c", 0, "e"): 21,
        ("c", 0, "e", "f"): 22,
        ("c", 0, "g", 0): 23,
        ("c", 0, "g", 1, "h"): 26,
        ("c", 1): 27,
        ("c", 1, "d"): 28,
        ("c", 1, "g", 0, "h"): 30,
        ("x", "y", "t"): 32,
    }
    assert {path: source.line_of(path) for path in expected} == expected


def walk(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs = (
        list(value.items() if isinstance(value, dict) else enumerate(value)) if isinstance(value, dict | list) else []
    )
    return [(*path, key) for key, _ in pairs] + [deep for key, child in pairs for deep in walk(child, (*path, key))]


@pytest.mark.parametrize("text", [EVERYTHING, (DATA / "manifests" / "slack.toml").read_text(encoding="utf-8")])
def test_no_value_of_a_valid_text_is_lost(text: str) -> None:
    source = TomlSource.parse(text, file="a.toml")
    assert all(path in source.lines for path in walk(source.data))


def test_lines_are_those_of_the_file_around_the_text() -> None:
    source = TomlSource.parse("a = 1\nb = 2", file="a.md", first_line=2)
    assert source.line_of(("b",)) == 3


def test_a_missing_value_has_the_line_of_the_table_around_it() -> None:
    source = TomlSource.parse("\n[a]\nb = 1", file="a.toml")
    assert source.line_of(("a", "missing", 3)) == 2
    assert source.line_of(("missing",)) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb =", 2),
        ("a = 1\na = 2", 2),
        ("a = 1\n\n[b\n", 3),
        ("a = 'x\nb = 1", 1),
        ('a = 1\nb = "\\q"', 2),
        ("\n\na = 01", 3),
        ('a = """\n\n', 1),
    ],
)
def test_a_syntax_error_names_its_line(text: str, line: int) -> None:
    with pytest.raises(DocumentError) as caught:
        TomlSource.parse(text, file="a.toml")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"a.toml:{line}: This is not valid TOML: ")


@pytest.mark.parametrize(
    "value",
    [
        "nan", "-inf", "1e999", "9007199254740992", "-9007199254740992", "1979-05-27", "1979-05-27T07:32:00Z",
        "07:32:00",        '"\\u0000"', '"\\u202e"', '"\\u001b[31m"', "[1, { x = [nan] }]",
    ],
)  # fmt: skip
def test_values_that_json_or_people_cannot_read_are_refused_with_their_line(value: str) -> None:
    with pytest.raises(DocumentError) as caught:
        TomlSource.parse(f"ok = 1\nbad = {value}", file="a.toml")
    assert caught.value.line == 2


def test_a_key_with_an_invisible_character_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"U\+202E"):
        TomlSource.parse('ok = 1\n"a\\u202eb" = 1', file="a.toml")


SIZE = 250_000


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * SIZE,
        "a = " + "[" * 50 + "]" * 50,
        "a = " + "{a=" * (SIZE // 3),
        "a = " + "9" * SIZE,
        ".".join("a" * (SIZE // 2)) + " = 1",
        " . ".join("a" * (SIZE // 4)) + " = 1",
        ".".join(['"a"'] * (SIZE // 4)) + " = 1",
        ".".join(["''"] * (SIZE // 3)) + " = 1",
        ".".join(["a", "'b'"] * (SIZE // 8)) + " = 1",
        "[" + ".".join("a" * (SIZE // 2)) + "]",
        "[" + ".".join("a" * 40) + "]",
        "x = { " + ".".join("a" * (SIZE // 2)) + " = 1 }",
        '"' * SIZE,
        "a" * SIZE,
        "a " * (SIZE // 2),
        "\\" * SIZE,
        "a = '''" + "'" * SIZE,
        "a = " + '"' + "\\" * SIZE,
    ],
)
def test_bombs_are_refused_quickly(text: str) -> None:
    started = time.thread_time()
    with pytest.raises(DocumentError):
        TomlSource.parse(text, file="a.toml")
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "a = [" + "1," * (SIZE // 2) + "]",
        "[[a]]\n" * (SIZE // 6),
        'a = """' + '""\\n' * (SIZE // 4) + '"""',
        "a = '''" + "''\n" * (SIZE // 3) + "'''",
        'a = "' + "\\n" * (SIZE // 2) + '"',
        "a = '" + "x." * (SIZE // 4) + "'",
        "#" * SIZE,
        "\n" * SIZE,
        "a.b.c.d = 1 " + " " * SIZE,
        "".join(f"k{n} = {{ a = 1 }}\n" for n in range(SIZE // 20)),
    ],
)
def test_large_valid_texts_are_read_in_reasonable_time(text: str) -> None:
    started = time.thread_time()
    try:
        TomlSource.parse(text, file="a.toml")
    except DocumentError as error:
        assert "joined by dots" in error.problem  # noqa: PT017 -- long dotted prose is refused too
    assert time.thread_time() - started < 10


tokens = st.sampled_from(
    ["a", "b", '"', "'", '"""', "'''", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", " ", "#", "\\", "1", "true",
     "1e9", "nan", "\t", "a = 1\n", "[a]\n", "[[a]]\n", "é", "\r\n", "2020-01-01"]
)  # fmt: skip


@given(st.text() | st.lists(tokens, max_size=40).map("".join))
def test_any_text_is_a_source_or_a_document_error(text: str) -> None:
    find_lines(text)
    try:
        source = TomlSource.parse(text, file="a.toml")
    except DocumentError:
        return
    paths = walk(source.data)
    assert all(path in source.lines for path in paths)
    assert all(1 <= line <= text.count("\n") + 1 for line in source.lines.values())
