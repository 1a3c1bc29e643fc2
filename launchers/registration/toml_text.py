"""Our table in a TOML file: put behind everything else, in a form that can be taken out exactly."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from launchers.registration.errors import RegistrationError
from launchers.registration.toml_places import read_tables

_PATH = ("mcp_servers", "aileron")
_HEADER = f"[{'.'.join(_PATH)}]"


def find(text: str) -> Mapping[str, Any] | None:
    """Return our table as it stands, or None."""
    servers = parse(text).get("mcp_servers")
    if servers is not None and not isinstance(servers, dict):
        raise RegistrationError("`mcp_servers` is not a table")
    entry = None if servers is None else servers.get("aileron")
    return entry if entry is None or isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text with our table at its end."""
    line = "\r\n" if "\r\n" in text else "\n"
    rows = [_HEADER, *(f"{name} = {_value(value)}" for name, value in entry.items())]
    return appended(take_out(text), line.join(rows) + line, line)


def give_back(text: str, before: str) -> str:
    """Return the text with the tables of the person's own that stood in another one in place of ours."""
    line = "\r\n" if "\r\n" in text else "\n"
    theirs = "".join(before[table.start : table.end] for table in read_tables(before) if table.path[:2] == _PATH)
    return appended(take_out(text), theirs if theirs.endswith("\n") else f"{theirs}{line}", line)


def take_out(text: str) -> str:
    """Return the text without our table, as it was before it was put in."""
    if find(text) is None:
        return text
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    ours = [table for table in read_tables(body) if table.path[:2] == _PATH]
    for table in reversed(ours):
        body = _joined(body[: table.start], body[table.end :])
    if not ours or find(body) is not None:
        raise RegistrationError(f"`mcp_servers.aileron` is there, but not as a table {_HEADER}; take it out by hand")
    return mark + body


def _joined(before: str, after: str) -> str:
    """Join what stood around a table, without the line end that was put in front of it."""
    for line in ("\r\n", "\n"):
        shorter = before.removesuffix(line)
        if shorter != before and (not after or shorter.endswith("\n") or after.startswith(("\n", "\r\n"))):
            return shorter + after
    return before + after


def appended(text: str, block: str, line: str) -> str:
    """Return the text with tables behind everything else; raises RegistrationError."""
    # Without a last line end there is no empty line in between either: so it can be told afterwards.
    changed = f"{text}{block}" if text in {"", "\ufeff"} else f"{text}{line}{block}"
    try:
        tomllib.loads(changed.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        raise RegistrationError(
            "`mcp_servers` is written in braces, to which no table can be added; "
            "write each server as [mcp_servers.NAME], with its keys below"
        ) from None
    return changed


def parse(text: str) -> dict[str, Any]:
    """Return what the text says; raises RegistrationError."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as problem:
        raise RegistrationError(f"it is not valid TOML: {problem}") from None
    except RecursionError:
        raise RegistrationError("it is nested too deeply") from None
    except ValueError:
        raise RegistrationError("a number in it has too many digits") from None


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
