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


def read_offer(server: str, said: Sequence[Any], *, known: Mapping[str, str]) -> Offered:
    """Return what can be taken of a list of tools. Of two with one name the first stays.

    `known` has the names in records of tools that were offered before, with the server's own names of them.
    """
    definitions: dict[str, Definition] = {}
    records: dict[str, str] = {}
    holders = dict(known)
    left_out: list[LeftOut] = []
    total = 0
    for each in said:
        try:
            definition = read_definition(each)
            record = record_name(server, definition.tool)
            if definition.tool in definitions or holders.get(record, definition.tool) != definition.tool:
                raise UnusableDefinitionError("another tool before it has the same name")
            if len(definitions) == MAX_TOOLS:
                raise UnusableDefinitionError(f"the server offers more than {MAX_TOOLS} tools")
            if total + len(definition.text) > MAX_TOTAL:
                raise UnusableDefinitionError(f"all definitions together have more than {MAX_TOTAL} characters")
        except UnusableDefinitionError as problem:
            left_out.append(LeftOut(_named(each), str(problem)))
            continue
        total += len(definition.text)
        definitions[definition.tool], records[definition.tool] = definition, record
        holders[record] = definition.tool
    return Offered(definitions, records, left_out)


def _named(said: Any) -> str:
    name = said.get("name") if isinstance(said, Mapping) else None
    return name if isinstance(name, str) else "(no name)"
