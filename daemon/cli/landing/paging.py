"""Shows a difference: coloured and page by page on a terminal, plain to a pipe."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from daemon.cli.rendering import neutralise

if TYPE_CHECKING:
    from daemon.cli.invocation import Invocation

_COLOURS = {
    "head": "\x1b[1m",
    "hunk": "\x1b[36m",
    "added": "\x1b[32m",
    "removed": "\x1b[31m",
    "same": "",
    "note": "\x1b[33m",
}
_RESET = "\x1b[0m"
_PAGER = ["less", "-R"]


def show_difference(invocation: "Invocation", lines: Sequence[Mapping[str, str]]) -> None:
    """Write a difference; what does not fit on the screen of a person goes to their pager."""
    output = invocation.output
    if not output.terminal:
        output.raw("".join(f"{_safe(each['text'])}\n" for each in lines))
        return
    text = "".join(f"{coloured(each) if output.colour else _safe(each['text'])}\n" for each in lines)
    rows = shutil.get_terminal_size().lines - 2
    pager = None if len(lines) <= rows else find_pager(invocation.environ.get("PAGER", ""))
    if pager is None:
        output.raw(text)
        return
    page(pager, text)


def coloured(line: Mapping[str, str]) -> str:
    """Return a line in the colour of what it is."""
    colour = _COLOURS.get(line["mark"], "")
    return f"{colour}{_safe(line['text'])}{_RESET}" if colour else _safe(line["text"])


def _safe(text: str) -> str:
    """Return a line with nothing in it that a terminal obeys. The daemon made it so; nothing depends on that alone."""
    return "\t".join(neutralise(piece) for piece in text.split("\t"))


def find_pager(wanted: str) -> list[str] | None:
    """Return the person's pager, or less, if there is one."""
    words = shlex.split(wanted) if wanted else _PAGER
    if not words or words[0] == "cat" or shutil.which(words[0]) is None:
        return None
    return words


def page(pager: list[str], text: str) -> None:
    """Run a pager over a text and wait for it. Ctrl-C is the pager's, as in git."""
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        environment = {"LESS": "FRX", "LESSSECURE": "1"} | dict(os.environ)
        # A pager that ends before it has read everything is no failure: the person had seen enough.
        subprocess.run(pager, input=text.encode("utf-8", "backslashreplace"), env=environment, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
