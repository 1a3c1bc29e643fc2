"""Every command there is, walked from the program itself: a new one is held to the rules as soon as it is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from typer.main import get_command

from daemon.cli.main import app


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command that does something, and no group of commands."""

    path: tuple[str, ...]
    command: Any

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def options(self) -> frozenset[str]:
        return frozenset(name for each in self.command.params for name in (*each.opts, *each.secondary_opts))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[Leaf]:
    if not hasattr(command, "commands"):
        yield Leaf(path, command)
        return
    for name in command.list_commands(None):
        yield from _walk(command.get_command(None, name), (*path, name))


@cache
def leaves() -> tuple[Leaf, ...]:
    """Return every command."""
    return tuple(_walk(get_command(app), ()))


@cache
def groups() -> tuple[tuple[str, ...], ...]:
    """Return the path of every group, without the root."""
    return tuple(sorted({leaf.path[:length] for leaf in leaves() for length in range(1, len(leaf.path))}))


def find(words: tuple[str, ...]) -> Any:
    """Return the command or the group that words name, or None."""
    command: Any = get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            return None
        command = command.get_command(None, word)
        if command is None:
            return None
    return command
