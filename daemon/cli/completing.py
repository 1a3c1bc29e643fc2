"""Answers a shell that wants a word completed: silent whatever goes wrong, and soon.

No command runs for this. Nothing is started, asked or written but the words, one a line.
"""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING

from daemon.cli.completion_scripts import LINE_VARIABLE, SCRIPTS
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from typer._click import Command
    from typer._click.shell_completion import CompletionItem

_MOST = 200
_BREAKS = ":="
"""Where bash itself cuts words: it replaces only what stands behind the last of them."""
_QUOTED = frozenset(" \t'\"\\$`&|;<>()*?[]#~!")


def complete(shell: str, root: "Command", environ: Mapping[str, str]) -> None:
    """Write what may stand at the end of the line that the shell handed over."""
    if shell not in SCRIPTS:
        return  # a script of another version: nothing is better than something it may evaluate
    line = environ.get(LINE_VARIABLE, "")
    try:
        with io.StringIO() as nothing, redirect_stderr(nothing), redirect_stdout(nothing):
            words, begun = _split(line)
            found = list(_answers(root, words, begun))[:_MOST]
    except (Exception, SystemExit):  # noqa: BLE001 - a prompt is no place for a message
        return
    with suppress(OSError, ValueError):
        sys.stdout.write("".join(f"{_written(shell, item, begun)}\n" for item in found))
        sys.stdout.flush()


def _split(line: str) -> tuple[list[str], str]:
    """Return the finished words behind `aileron`, and the word at the cursor."""
    from typer._click.shell_completion import split_arg_string

    words = split_arg_string(line)
    begun = words.pop() if words and not line.endswith((" ", "\t")) else ""
    return words[1:], begun


def _answers(root: "Command", words: list[str], begun: str) -> "Iterator[CompletionItem]":
    from typer._click.shell_completion import _resolve_context, _resolve_incomplete

    from daemon.cli.old_spellings import renew

    context = _resolve_context(root, {}, "aileron", list(renew(words).arguments))
    if hasattr(context.command, "commands") and context._protected_args:  # noqa: SLF001
        return iter(())  # a command that there is not
    asked, begun = _resolve_incomplete(context, words, begun)
    # Files are what the shell completes by itself when nothing comes from here.
    return (item for item in asked.shell_complete(context, begun) if item.type == "plain")


def _written(shell: str, item: "CompletionItem", begun: str) -> str:
    word = one_line(item.value)
    if shell != "bash":
        said = one_line(item.help, limit=80) if item.help else ""
        return f"{word}\t{said}" if said else word
    cut = max(begun.rfind(mark) for mark in _BREAKS) + 1
    word = word[cut:] if word.startswith(begun[:cut]) else word
    return "".join(f"\\{letter}" if letter in _QUOTED else letter for letter in word)
