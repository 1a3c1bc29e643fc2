"""What a server says of its tools, read: the definitions that can be taken, and why others are left out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.visible import visible
from daemon.tools.servers.pins.definitions import Definition, UnusableDefinitionError, read_definition
from daemon.tools.servers.pins.names import record_name

MAX_TOOLS = 5_000
MAX_TOTAL = 16 * 1024 * 1024
"""What all definitions of one server may have together, in characters."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tool that a server offers and that is not taken."""

    tool: str
    why: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{visible(self.tool)[:100]!r}: {self.why}"


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools that a server offers, by its own names of them, in its order."""

    definitions: Mapping[str, Definition]
    records: Mapping[str, str]
    """The name of each in records."""
    left_out: Sequence[LeftOut]


class Reading:
    """Takes in a list of tools, one after the other. Of two with one name the first stays.

    `known` has the names in records of tools that were offered before, with the server's own names of them.
    """

    def __init__(self, server: str, *, known: Mapping[str, str]) -> None:
        self._server = server
        self._holders = dict(known)
        self._definitions: dict[str, Definition] = {}
        self._records: dict[str, str] = {}
        self._left_out: list[LeftOut] = []
        self._total = 0

    def take(self, said: Any) -> None:
        """Take one tool, or leave it out and note why."""
        try:
            definition = read_definition(said)
            record = record_name(self._server, definition.tool)
            self._check(definition, record)
        except UnusableDefinitionError as problem:
            self._left_out.append(LeftOut(_named(said), str(problem)))
            return
        self._total += len(definition.text)
        self._definitions[definition.tool], self._records[definition.tool] = definition, record
        self._holders[record] = definition.tool

    def offered(self) -> Offered:
        """Return what was taken and what was left out."""
        return Offered(self._definitions, self._records, self._left_out)

    def _check(self, definition: Definition, record: str) -> None:
        if definition.tool in self._definitions or self._holders.get(record, definition.tool) != definition.tool:
            raise UnusableDefinitionError("another tool before it has the same name")
        if len(self._definitions) == MAX_TOOLS:
            raise UnusableDefinitionError(f"the server offers more than {MAX_TOOLS} tools")
        if self._total + len(definition.text) > MAX_TOTAL:
            raise UnusableDefinitionError(f"all definitions together have more than {MAX_TOTAL} characters")


def _named(said: Any) -> str:
    name = said.get("name") if isinstance(said, Mapping) else None
    return name if isinstance(name, str) else "(no name)"
