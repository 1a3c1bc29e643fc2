"""One look at an action file finds everything that is wrong with it, and nothing that is only a consequence."""

import pytest
from core.test_action_parser import REPORT
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.action_parser import parse_action, read_action
from daemon.core.failures import DocumentError

BROKEN = """+++
nmae = "x"
name = "Ship Update"
version = "one"
source = "nowhere"

[[requires.connectors]]
name = "github://acme/slack"
version = "1"
hash = "sha256:no"
capabilities = [""]
extra = 1

[[inputs]]
name = "channel"
type = "string"
minimum = 1
maximum = 2

[[inputs]]
name = "count"
type = "integer"
minimum = 3
maximum = 2
description = 1
enum = []

[approval]
required = "yes"
expires = "400d"
preview = { op = "Get", render = { To = "", Cc = 1 }, multiline = ["Bcc"], args = { id = "${args.nobody}" } }

[[execute]]
id = "Post"
connector = "github://acme/other"
op = "Post"
timeout = "1h"
[execute.inputs]
channel = "${args.chanel}"
text = "${args.count"
"o p" = 1
+++
"""
SAID = {
    2: ["unknown"],
    3: ["`name`"],
    4: ["`version`"],
    5: ["`source`"],
    9: ["`version`"],
    10: ["`hash`"],
    11: ["`capabilities`"],
    12: ["'extra'"],
    17: ["`minimum`"],
    18: ["`maximum`"],
    23: ["`minimum`"],
    25: ["`description`"],
    26: ["`enum`"],
    29: ["`required`"],
    30: ["`expires`"],
    31: ["`To`", "`Cc`", "`multiline`", "`op`", "`id`"],
    34: ["`id`"],
    35: ["does not require"],
    36: ["`op`"],
    37: ["`timeout`"],
    39: ["${args.chanel}"],
    40: ["not closed"],
    41: ["'o p'"],
}


def said_by_line(problems: tuple[DocumentError, ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.line or 0, []).append(f"{problem.problem} {problem.remedy}")
    return found


def test_every_problem_of_a_file_is_told_at_once_with_its_line() -> None:
    reading = read_action(BROKEN, file="<it>")
    assert reading.action is None
    found = said_by_line(reading.problems)
    expected = {line: len(words) for line, words in SAID.items()}
    expected[2] += 1  # the file has no text below, which is told where the front matter begins
    assert {line: len(said) for line, said in found.items()} == expected
    for line, words in SAID.items():
        assert all(any(word in each for each in found[line]) for word in words), (line, found[line])
    assert [problem.line for problem in reading.problems] == sorted(problem.line or 0 for problem in reading.problems)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "title"', 'name = "Title"'),  # an input whose name cannot be read: what refers to it may be right
        ('name = "title"\ntype = "string"', 'name = "title"\ntype = "strong"'),
        ("version = ", "versoin = "),
        ("[[requires.connectors]]", "[[requires.conectors]]"),
    ],
)
def test_what_follows_from_one_mistake_is_not_told_as_another(old: str, new: str) -> None:
    text = REPORT.replace(old, new, 1)
    assert text != REPORT
    assert len(read_action(text, file="<it>").problems) == 1


LINES = st.sampled_from(["", "x = 1", '[a]\nb = "${args.no}"', "[[execute]]", "= 1", 'name = "now"'])


@given(st.integers(0, REPORT.count("\n")), LINES)
def test_the_strict_reading_refuses_exactly_what_the_patient_one_finds_something_wrong_with(at: int, new: str) -> None:
    lines = REPORT.split("\n")
    text = "\n".join([*lines[:at], new, *lines[at + 1 :]])
    reading = read_action(text, file="<it>")
    if reading.action is not None:
        assert parse_action(text, file="<it>") == reading.action
        assert reading.problems == ()
        return
    with pytest.raises(DocumentError) as refused:
        parse_action(text, file="<it>")
    assert str(refused.value) in {str(problem) for problem in reading.problems}


@pytest.mark.parametrize("table", ["requires.connectors", "inputs", "execute"])
def test_a_misspelt_table_is_told_once_for_each_time_it_stands_there_and_not_as_missing(table: str) -> None:
    first, dot, rest = table.partition(".")
    text = REPORT.replace(f"[[{table}", f"[[{first[:-1]}{dot}{rest}").replace(f"[{first}.", f"[{first[:-1]}.")
    (problem,) = read_action(text, file="<it>").problems
    assert "is unknown" in problem.problem
    assert f"`{first}`" in problem.remedy


def test_requirements_that_can_be_read_are_there_whatever_else_is_wrong() -> None:
    text = REPORT.replace("[[execute]]", "[[exicute]]", 1)
    reading = read_action(text, file="<it>")
    assert reading.problems
    assert reading.requires == parse_action(REPORT, file="<it>").requires
