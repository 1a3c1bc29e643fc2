"""Writes values as TOML on one line, for files that are begun for a person and for hints that can be copied."""

import json
import re
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_string(text: str) -> str:
    """Write a text as a basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """Write the name of a member, quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else toml_string(name)


def toml_value(value: Any) -> str | None:
    """Write a JSON value inline, or return None where it holds a null, which TOML does not have."""
    if isinstance(value, dict):
        members = [(toml_key(key), toml_value(member)) for key, member in value.items()]
        if any(member is None for _, member in members):
            return None
        return "{ " + ", ".join(f"{key} = {member}" for key, member in members) + " }" if members else "{}"
    if isinstance(value, list):
        items = [toml_value(item) for item in value]
        return None if None in items else f"[{', '.join(map(str, items))}]"
    if isinstance(value, str):
        return toml_string(value)
    return None if value is None else json.dumps(value)
