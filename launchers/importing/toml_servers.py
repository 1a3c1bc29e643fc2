"""Tables of a TOML text: taken out with the tables below them, and put back at the end."""

from typing import Any

from launchers.importing.keys import Key
from launchers.registration.errors import RegistrationError
from launchers.registration.toml_places import Table, read_tables
from launchers.registration.toml_text import appended, parse

_SERVERS = "mcp_servers"


def read(text: str) -> Any:
    """Return what the text says; raises RegistrationError.

    A file without servers reads like one with an empty table of them: the table has no line of its own.
    """
    return {_SERVERS: {}} | parse(text)


def without(text: str, keys: list[Key]) -> str:
    """Return the text without the tables of these entries. Comments above and behind them stay."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    for table in reversed([each for key in keys for each in _tables(body, key)]):
        body = body[: table.start] + body[table.end :]
    return mark + body


def put_back(text: str, before: str, keys: list[Key]) -> str:
    """Return the text with the tables as they stood in an earlier one, behind everything else."""
    old = before.removeprefix("\ufeff")
    line = "\r\n" if "\r\n" in text else "\n"
    for key in keys:
        block = "".join(old[table.start : table.end] for table in _tables(old, key))
        text = appended(text, block if block.endswith("\n") else f"{block}{line}", line)
    return text


def _tables(text: str, key: Key) -> list[Table]:
    found = [table for table in read_tables(text) if table.path[: len(key)] == key]
    if not found:
        raise RegistrationError(f"{'.'.join(key)} is not written as a table [{'.'.join(key)}]")
    return found
