"""Our entry in a YAML file: one line under a key, in a form that can be taken out exactly."""

import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from launchers.registration.errors import RegistrationError

_KEY = "extensions"
_NAME = "aileron"
_CAME_WITH = f"{_KEY}: # with the entry of Aileron"


def find(text: str) -> Mapping[str, Any] | None:
    """Return our entry as it stands, or None."""
    extensions = read(text).get(_KEY)
    if extensions is not None and not isinstance(extensions, dict):
        raise RegistrationError(f"`{_KEY}` is not a mapping")
    entry = None if extensions is None else extensions.get(_NAME)
    return entry if entry is None or isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text with our entry as the first one under its key."""
    line = "\r\n" if "\r\n" in text else "\n"
    return _inserted(take_out(text), f"{_NAME}: {json.dumps(entry)}", line)


def give_back(text: str, before: str) -> str:
    """Return the text with the entry of the person's own that stood in another one in place of ours."""
    line = "\r\n" if "\r\n" in text else "\n"
    start, end = _place(before)
    theirs = before[start:end].rstrip("\r\n")
    indent = theirs[: len(theirs) - len(theirs.lstrip())]
    written = f"{line}".join(part.removeprefix(indent) for part in theirs.splitlines())
    return _inserted(take_out(text), written, line)


def take_out(text: str) -> str:
    """Return the text without our entry, as it was before it was put in."""
    if find(text) is None:
        return text
    start, end = _place(text)
    before, after = text[:start], text[end:]
    for line in ("\r\n", "\n"):
        head = before.removesuffix(f"{_CAME_WITH}{line}")
        if head != before:
            if after and head.removesuffix(line) != head and not head.removesuffix(line).endswith("\n"):
                return head + after  # something was written behind it since
            return head.removesuffix(line) + after
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


def _inserted(text: str, written: str, line: str) -> str:
    if _KEY not in read(text):
        rows = "".join(f"  {row}{line}" for row in written.split(line))
        block = f"{_CAME_WITH}{line}{rows}"
        return f"{text}{block}" if text in {"", "\ufeff"} else f"{text}{line}{block}"
    key, value = _member(_root(text), _KEY)
    if not isinstance(value, MappingNode) or value.flow_style or not value.value:
        raise RegistrationError(f"`{_KEY}` is not written as lines below its name; write it so, or take it out")
    first: Node = value.value[0][0]
    shift = len(text) - len(text.removeprefix("\ufeff"))
    indent = " " * first.start_mark.column
    place = text.index("\n", key.end_mark.index + shift) + 1
    rows = "".join(f"{indent}{row}{line}" for row in written.split(line))
    return f"{text[:place]}{rows}{text[place:]}"


def _place(text: str) -> tuple[int, int]:
    """Return where the lines of our entry begin and end, without comments and empty lines behind them."""
    shift = len(text) - len(text.removeprefix("\ufeff"))
    extensions = _member(_root(text), _KEY)[1]
    key, value = _member(extensions, _NAME)
    start = text.rfind("\n", 0, key.start_mark.index + shift) + 1
    if text[start : key.start_mark.index + shift].strip(" ") or extensions.flow_style:
        raise RegistrationError(f"`{_KEY}.{_NAME}` is there, but not on lines of its own; take it out by hand")
    last = value.end_mark.index + shift
    rows = text[start:last].split("\n")
    while len(rows) > 1 and (not rows[-1].strip() or rows[-1].lstrip().startswith("#")):
        rows.pop()
    end = text.find("\n", start + len("\n".join(rows)))
    return start, len(text) if end < 0 else end + 1


def _root(text: str) -> Any:
    return YAML(typ="rt", pure=True).compose(text.removeprefix("\ufeff"))


def _member(node: Any, name: str) -> tuple[Any, Any]:
    found = next(((key, value) for key, value in node.value if key.value == name), None)
    if found is None:
        raise RegistrationError(f"`{name}` comes from another place of the file by an anchor; take it out by hand")
    return found
