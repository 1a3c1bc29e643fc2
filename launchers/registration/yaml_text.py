"""Our entry in a YAML file: one line under a key, in a form that can be taken out exactly."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from launchers.registration.errors import RegistrationError

_KEY = "extensions"
_OPEN = re.compile(rf"{_KEY}:[ \t]*(#.*)?")
_OURS = re.compile(r"([ \t]+)aileron: \{.*\}[ \t]*")
_CAME_WITH = f"{_KEY}: # with the entry of Aileron"


def find(text: str) -> Mapping[str, Any] | None:
    """Return our entry as it stands, or None."""
    extensions = read(text).get(_KEY)
    if extensions is not None and not isinstance(extensions, dict):
        raise RegistrationError(f"`{_KEY}` is not a mapping")
    entry = None if extensions is None else extensions.get("aileron")
    return entry if entry is None or isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text with our entry as the first one under its key."""
    text = take_out(text)
    found = read(text)
    line = "\r\n" if "\r\n" in text else "\n"
    written = f"aileron: {json.dumps(entry)}"
    if _KEY not in found:
        block = f"{_CAME_WITH}{line}  {written}{line}"
        return f"{text}{block}" if text in {"", "\ufeff"} else f"{text}{line}{block}"
    lines = text.splitlines(keepends=True)
    for number, content in enumerate(lines):
        if _OPEN.fullmatch(content.rstrip("\r\n")) and found[_KEY]:
            below = next(c for c in lines[number + 1 :] if c.strip() and not c.lstrip().startswith("#"))
            indent = below[: len(below) - len(below.lstrip())]
            if indent:
                lines.insert(number + 1, f"{indent}{written}{line}")
                return "".join(lines)
    raise RegistrationError(f"`{_KEY}` is not written as lines below its name; write it so, or take it out")


def take_out(text: str) -> str:
    """Return the text without our entry, as it was before it was put in."""
    if find(text) is None:
        return text
    lines = text.splitlines(keepends=True)
    ours = [number for number, content in enumerate(lines) if _OURS.fullmatch(content.rstrip("\r\n"))]
    if len(ours) != 1:
        raise RegistrationError(f"`{_KEY}.aileron` is there, but not in one line; take it out by hand")
    start = ours[0]
    came_with = start > 0 and lines[start - 1].rstrip("\r\n") == _CAME_WITH
    if not came_with:
        return "".join(lines[:start] + lines[start + 1 :])
    before, after = "".join(lines[: start - 1]), "".join(lines[start + 1 :])
    for line in ("\r\n", "\n"):
        if before.endswith(line):
            return before.removesuffix(line) + after
    return before + after


def read(text: str) -> dict[str, Any]:
    """Return the mapping that the file holds; raises RegistrationError."""
    try:
        value = YAML(typ="safe", pure=True).load(text.removeprefix("\ufeff"))
    except YAMLError as problem:
        raise RegistrationError(f"it is not valid YAML: {' '.join(str(problem).split())[:300]}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RegistrationError("it does not hold a mapping")
    return value
