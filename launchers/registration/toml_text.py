"""Our table in a TOML file: put behind everything else, in a form that can be taken out exactly."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from launchers.registration.errors import RegistrationError

_HEADER = "[mcp_servers.aileron]"


def find(text: str) -> Mapping[str, Any] | None:
    """Return our table as it stands, or None."""
    servers = _parse(text).get("mcp_servers")
    if servers is not None and not isinstance(servers, dict):
        raise RegistrationError("`mcp_servers` is not a table")
    entry = None if servers is None else servers.get("aileron")
    return entry if entry is None or isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text with our table at its end."""
    text = take_out(text)
    line = "\r\n" if "\r\n" in text else "\n"
    rows = [_HEADER, *(f"{name} = {_value(value)}" for name, value in entry.items())]
    block = line.join(rows) + line
    # Without a last line end there is no empty line in between either: so it can be told afterwards.
    return f"{text}{block}" if text in {"", "\ufeff"} else f"{text}{line}{block}"


def take_out(text: str) -> str:
    """Return the text without our table, as it was before it was put in."""
    if find(text) is None:
        return text
    lines = text.splitlines(keepends=True)
    starts = [number for number, content in enumerate(lines) if content.strip("\ufeff \t\r\n") == _HEADER]
    if len(starts) != 1:
        raise RegistrationError(f"`mcp_servers.aileron` is there, but not as a table {_HEADER}; take it out by hand")
    start = starts[0]
    end = next((n for n in range(start + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
    before, after = "".join(lines[:start]), "".join(lines[end:])
    for line in ("\r\n", "\n"):
        if before.endswith(line):
            return before.removesuffix(line) + after
    return before + after


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as problem:
        raise RegistrationError(f"it is not valid TOML: {problem}") from None


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
