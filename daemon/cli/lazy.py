"""A command group that knows its commands by name and imports only the one that is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
    from typer._click.shell_completion import CompletionItem


_LEAST_WIDTH = 52
"""The library writes help no narrower than 50 columns, unless it is told to."""


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lives, and the line that `--help` shows for it."""

    module: str
    help: str


class LazyGroup(TyperGroup):
    """The root group: `--help` lists the table, running a command imports its module."""

    table: Mapping[str, LazyCommand] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # The keys feed the "did you mean" of the base class; get_command never returns the values.
        self.commands = dict.fromkeys(self.table, None)  # type: ignore[assignment]

    def make_context(
        self, info_name: str | None, args: list[str], parent: "Context | None" = None, **extra: Any
    ) -> "Context":
        """Open the context of a run; below its own least width, help is as narrow as the terminal."""
        columns = get_terminal_size().columns
        if columns < _LEAST_WIDTH:
            extra.setdefault("terminal_width", columns)
        return super().make_context(info_name, args, parent=parent, **extra)

    def list_commands(self, ctx: "Context") -> list[str]:  # noqa: ARG002 - the base class passes it
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":  # noqa: ARG002
        """Import the module of a command and return its command object."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        app: typer.Typer = import_module(entry.module).app
        command = get_command(app)
        command.name = cmd_name
        return command

    def shell_complete(self, ctx: "Context", incomplete: str) -> "list[CompletionItem]":
        """Return the names of the table that fit, without importing any of them, and the options."""
        from typer._click.core import Command as Plain
        from typer._click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=entry.help) for name, entry in self.table.items() if name.startswith(incomplete)
        ]
        return [*named, *Plain.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])
