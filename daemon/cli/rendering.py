"""Puts values on the screen: tables, fields, JSON and failures, coloured on a terminal and plain to a pipe."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from daemon.core.visible import spell_out

if TYPE_CHECKING:
    from rich.console import Console

    from daemon.cli.failure import CliFailure
    from daemon.cli.waiting import Waiting

_GAP = "  "
_LEAST_FOLDED = 24


def neutralise(text: str, *, multiline: bool = False) -> str:
    """Escape every character that could steer a terminal or hide what a text says (`daemon.core.visible` knows them).

    The escape is JSON's, so that JSON which was neutralised is still the same JSON.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = spell_out(text, _escape).replace("\t", "\\t")
    return shown if multiline else shown.replace("\n", "\\n")


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def pretty_json(value: Any) -> str:
    """Return a value as indented JSON that is safe to show on a terminal."""
    return neutralise(json.dumps(value, indent=2, ensure_ascii=False), multiline=True)


def one_line(value: Any, *, limit: int = 0) -> str:
    """Return a value as one safe line: text as it is, everything else as JSON, cut at the limit."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    shown = neutralise(text) or "-"
    return shown[: limit - 1] + "…" if limit and len(shown) > limit else shown


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a table as aligned text without tabs, colours or trailing blanks."""
    lines = [[column.upper() for column in columns], *rows]
    widths = [max(_width(line[index]) for line in lines) for index in range(len(columns))]
    return [
        _GAP.join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]], fold: str | None) -> int:
    widths = [max(_width(line[index]) for line in (columns, *rows)) for index in range(len(columns))]
    return sum(
        (min(width, _LEAST_FOLDED) if column == fold else width) + len(_GAP)
        for column, width in zip(columns, widths, strict=True)
    )


def _is_said(value: Any, message: str) -> bool:
    """Say whether a list of sentences stands in the message already."""
    return isinstance(value, list) and all(isinstance(each, str) and each in message for each in value)


class Output:
    """Where a command writes: answers to stdout, everything said beside them to stderr."""

    def __init__(self, *, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self._err = err
        # https://no-color.org: present and not empty. A dumb terminal shows escape sequences as rubbish.
        self.colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.terminal = out.isatty()
        self.err_terminal = err.isatty()

    def line(self, text: str = "", *, style: str = "") -> None:
        """Write one line, or several, of an answer."""
        self._write(self._out, text, style, terminal=self.terminal)

    def note(self, text: str, *, style: str = "") -> None:
        """Write something beside the answer to stderr; if that is closed or full, there is nobody to tell."""
        with suppress(OSError):
            self._write(self._err, text, style, terminal=self.err_terminal)

    def more(self, answer: Mapping[str, Any], how: str) -> None:
        """Say beside a list that it goes on, and what shows the rest."""
        if answer.get("next_cursor"):
            self.note(f"There are more: {how} shows them.", style="dim")

    def ask(self, question: str) -> None:
        """Write a question to stderr and stay on its line."""
        with suppress(OSError):
            self._err.write(question)
            self._err.flush()

    def raw(self, text: str) -> None:
        """Write text that already is as it should be, line ends included."""
        self._out.write(text)

    def json(self, value: Any) -> None:
        """Write a value as JSON."""
        self.line(pretty_json(value))

    def heading(self, text: str) -> None:
        """Write a line that names what follows."""
        self.line(text, style="bold")

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        empty: str,
        styles: Mapping[str, str] | None = None,
        fold: str | None = None,
    ) -> None:
        """Write rows under their columns; `styles` colours a cell by its text, `fold` names the column to break."""
        if not rows:
            self.note(empty, style="dim")
            return
        columns = [neutralise(column) for column in columns]
        cells = [[one_line(value) for value in row] for row in rows]
        if not self.terminal:
            for text in plain_table(columns, cells):
                self.line(text)
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(Text(column.upper()), overflow="fold", no_wrap=column != fold)
        for row in cells:
            table.add_row(*(Text(cell, style=(styles or {}).get(cell, "")) for cell in row))
        console = self._console(self._out)
        # A name or an id that was broken could not be copied: a line that is too long is left to the terminal instead.
        console.width = max(console.width, _least_width(columns, cells, fold))
        console.print(table)

    def fields(self, pairs: Sequence[tuple[str, Any]], *, indent: int = 0) -> None:
        """Write names and values, one a line, aligned; a value of several lines goes under its name."""
        named = [(neutralise(name), value) for name, value in pairs]
        width = max((_width(name) for name, _ in named), default=0)
        for name, value in named:
            label = " " * indent + name + " " * (width - _width(name))
            self._field(label, one_line(value))

    def _field(self, label: str, text: str) -> None:
        if not self.terminal:
            self.line(f"{label}{_GAP}{text}".rstrip())
            return
        from rich.text import Text

        self._console(self._out).print(Text.assemble((label, "dim"), _GAP, text), soft_wrap=True)

    def failure(self, failure: "CliFailure") -> None:
        """Write a failure: what happened, what helps, and where it is recorded."""
        kind = f" ({neutralise(failure.failure_class)})" if failure.failure_class else ""
        self.note(f"error{kind}: {neutralise(failure.message, multiline=True)}", style="bold red")
        for name, value in failure.details.items():
            if not _is_said(value, failure.message):
                self._detail(name, value)
        if failure.remedy:
            self.note(f"  {neutralise(failure.remedy, multiline=True)}", style="cyan")
        if failure.audit_id:
            self.note(f"  audit id {neutralise(str(failure.audit_id))}", style="dim")

    def _detail(self, name: str, value: Any) -> None:
        if isinstance(value, list) and value:
            self.note(f"  {neutralise(name)}:")
            for item in value:
                self.note(f"    - {one_line(item)}")
        elif value not in (None, "", [], {}):
            self.note(f"  {neutralise(name)}: {one_line(value, limit=500)}")

    @contextmanager
    def progress(self, message: str, *, about: float | None = None) -> Iterator["Waiting"]:
        """Tell on stderr what takes over a second, and, in seconds, how long it usually takes."""
        from daemon.cli.waiting import Waiting

        console = (lambda: self._console(self._err)) if self.err_terminal else None
        waiting = Waiting(
            message, about=about, console=console, line=lambda text: self.note(text, style="dim"), clean=neutralise
        )
        waiting.begin()
        try:
            yield waiting
        finally:
            waiting.end()

    def _write(self, stream: TextIO, text: str, style: str, *, terminal: bool) -> None:
        if not (style and terminal and self.colour):
            stream.write(text + "\n")
            stream.flush()
            return
        from rich.text import Text

        self._console(stream).print(Text(text, style=style), soft_wrap=True)

    def _console(self, stream: TextIO) -> "Console":
        from rich.console import Console

        # Without a colour system Rich writes no style at all, bold and dim included.
        return Console(
            file=stream,
            force_terminal=True,
            color_system="auto" if self.colour else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
