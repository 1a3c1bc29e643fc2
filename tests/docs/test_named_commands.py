"""Every command line of ours in every document is one of the program: command and options, in the present spelling."""

import itertools
import re
import shlex
from typing import Any

import pytest
from docs.test_project_files import ROOT, tracked
from typer.main import get_command

from daemon.cli.main import app

_IN_A_BLOCK = re.compile(
    r"^ *(?:- )?(?:\$ )?(?:\w+=\S+ )*(?:\.venv/bin/)?aileron (?P<words>[a-z-][^\n]*)$", re.MULTILINE
)
_IN_A_SENTENCE = re.compile(r"`(?:\.venv/bin/)?aileron (?P<words>[a-z-][^`\n]*)`")
_PLACEHOLDER = re.compile(r"[…\[\]{}|]|\.\.\.")
"""What shows that a line is a pattern and no command: alternatives, optional parts, something left out."""
HISTORY = ("CHANGELOG.md", "docs/adr/")
"""What says how it was at its time."""


def lines(text: str) -> list[str]:
    """Return what stands behind `aileron` in the code of a document."""
    return [match["words"].strip() for pattern in (_IN_A_BLOCK, _IN_A_SENTENCE) for match in pattern.finditer(text)]


def words_of(line: str) -> list[str]:
    """Return the words of a command line, up to what belongs to the shell, or to the agent."""
    reading = shlex.shlex(line, posix=True, punctuation_chars=True)
    reading.wordchars += "…:@$%+,[]{}"
    return list(itertools.takewhile(lambda word: word != "--" and not set(word) <= set("();<>|&"), reading))


def problem(line: str) -> str:
    """Return why the program would not take a command line, or nothing."""
    words = words_of(line)
    command: Any = get_command(app)  # Typer brings a Click of its own, so the classes are taken from what it returns
    context = command.context_class(command, info_name="aileron")
    while hasattr(command, "get_command") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if _PLACEHOLDER.search(name):
            return ""
        inner = command.get_command(context, name)
        if inner is None:
            return f"there is no `{context.command_path} {name}`"
        if inner.hidden:
            return f"`{context.command_path} {name}` is an old spelling"
        command, context = inner, inner.context_class(inner, info_name=name, parent=context)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= set(context.help_option_names) | {"-h", "--help"}
    given = {word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
    return f"`{context.command_path}` has no {', '.join(sorted(given - known))}" if given - known else ""


DOCUMENTS = [name for path in tracked("*.md") if not (name := path.relative_to(ROOT).as_posix()).startswith(HISTORY)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_a_document_names_is_one_of_the_program(name: str) -> None:
    wrong = {line: said for line in lines((ROOT / name).read_text()) if (said := problem(line))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("approval aprove apr_1", "there is no `aileron approval aprove`"),
        ("audit list --every", "`aileron audit list` has no --every"),
        ("audit list --limit 3 --json", ""),
        ("launch --sandbox codex -- exec --whatever", ""),
        ("session list|show", ""),
        ("session land S --yess > x; true", "`aileron session land` has no --yess"),
        ("launch --sandbox --program sh codex -- -c 'a; b > c'", ""),
    ],
)
def test_a_command_that_the_program_does_not_have_is_found(line: str, said: str) -> None:
    assert problem(line) == said


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = "    aileron stop   # now\n\nSay `aileron audit list --json`.\n```sh\nA=1 aileron status > file\n```\n"
    assert [words_of(line) for line in lines(text)] == [["stop"], ["status"], ["audit", "list", "--json"]]
