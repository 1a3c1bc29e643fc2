"""Our entry in a YAML file: one line under a key, in a form that can be taken out exactly."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, Event
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from launchers.registration.errors import RegistrationError

_KEY = "extensions"
_DEEPEST = 200
_NAME = "aileron"
_CAME_WITH = f"{_KEY}: # with the entry of Aileron"


def find(text: str) -> Mapping[str, Any] | None:
    """Return our entry as it stands, or None."""
    extensions = read(text).get(_KEY)
    if extensions is not None and not isinstance(extensions, dict):
        raise RegistrationError(f"`{_KEY}` is not a mapping")
    if extensions is None or _NAME not in extensions:
        return None
    entry = extensions[_NAME]
    return entry if isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any]) -> str:
    """Return the text with our entry as the first one under its key, or where one of that name stands."""
    return _written(text, f"{_NAME}: {json.dumps(entry)}")


def give_back(text: str, before: str) -> str:
    """Return the text with the entry of the person's own that stood in another one in place of ours."""
    start, end = place_of(before, _NAME)
    rows = before[start:end].rstrip("\r\n").split("\n")
    indent = len(rows[0]) - len(rows[0].lstrip(" "))
    return _written(text, *(row[indent:].rstrip("\r") for row in rows))


def take_out(text: str) -> str:
    """Return the text without our entry, as it was before it was put in."""
    if find(text) is None:
        return text
    start, end = place_of(text, _NAME)
    before, after = text[:start], text[end:]
    for line in ("\r\n", "\n"):
        head = before.removesuffix(f"{_CAME_WITH}{line}")
        if head != before:
            if after and head.removesuffix(line) != head and not head.removesuffix(line).endswith("\n"):
                return head + after  # something was written behind it since
            return head.removesuffix(line) + after
    return before + after


def events(text: str) -> Iterator[Event]:
    """Yield what the text consists of; raises RegistrationError where it is wrong, or nested too deeply."""
    depth = 0
    try:
        for event in YAML(typ="rt", pure=True).parse(text.removeprefix("\ufeff")):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > _DEEPEST:
                raise RegistrationError("it is nested too deeply")
            yield event
    except YAMLError as problem:
        raise _invalid(problem) from None


def read(text: str) -> dict[str, Any]:
    """Return the mapping that the file holds; raises RegistrationError."""
    for _ in events(text):  # before anything is built of it: that takes far more time for what is nested deeply
        pass
    try:
        value = YAML(typ="safe", pure=True).load(text.removeprefix("\ufeff"))
    except YAMLError as problem:
        raise _invalid(problem) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RegistrationError("it does not hold a mapping")
    return value


def _invalid(problem: YAMLError) -> RegistrationError:
    if not isinstance(problem, MarkedYAMLError) or problem.problem_mark is None:
        return RegistrationError(f"it is not valid YAML: {' '.join(str(problem).split())[:300]}")
    said = " ".join(str(problem.problem).split())[:200]
    return RegistrationError(f"line {problem.problem_mark.line + 1}: it is not valid YAML: {said}")


def _written(text: str, *rows: str) -> str:
    """Return the text with the lines of one entry, in place of those that are there."""
    line = "\r\n" if "\r\n" in text else "\n"
    if _KEY not in read(text):
        block = "".join(f"{row}{line}" for row in (_CAME_WITH, *(f"  {row}" for row in rows)))
        return f"{text}{block}" if text in {"", "\ufeff"} else f"{text}{line}{block}"
    if find(text) is None:
        start, indent = first_place(text)
        end = start
    else:
        start, end = place_of(text, _NAME)
        indent = len(text[start:end]) - len(text[start:end].lstrip(" "))
    return text[:start] + "".join(f"{' ' * indent}{row}{line}" for row in rows) + text[end:]


def first_place(text: str) -> tuple[int, int]:
    """Return where the first entry under the key begins or would begin, and how far it is indented."""
    key, value = member_of(root_of(text), _KEY)
    shift = len(text) - len(text.removeprefix("\ufeff"))
    place = text.find("\n", key.end_mark.index + shift) + 1
    is_empty = isinstance(value, ScalarNode) and value.value == "" and place > 0
    if isinstance(value, MappingNode) and not value.flow_style and value.value:
        first: Node = value.value[0][0]
        if first.start_mark.index + shift >= place > 0:
            return place, first.start_mark.column
    if is_empty:
        return place, 2
    raise RegistrationError(f"`{_KEY}` is not written as lines below its name; write it so, or take it out")


def place_of(text: str, name: str) -> tuple[int, int]:
    """Return where the lines of an entry begin and end, without comments and empty lines behind them."""
    shift = len(text) - len(text.removeprefix("\ufeff"))
    extensions = member_of(root_of(text), _KEY)[1]
    key, value = member_of(extensions, name)
    start = text.rfind("\n", 0, key.start_mark.index + shift) + 1
    if text[start : key.start_mark.index + shift].strip(" ") or extensions.flow_style:
        raise RegistrationError(f"`{_KEY}.{name}` is there, but not on lines of its own; take it out by hand")
    last = value.end_mark.index + shift
    rows = text[start:last].split("\n")
    while len(rows) > 1 and (not rows[-1].strip() or rows[-1].lstrip().startswith("#")):
        rows.pop()
    end = text.find("\n", start + len("\n".join(rows)))
    return start, len(text) if end < 0 else end + 1


def root_of(text: str) -> Any:
    return YAML(typ="rt", pure=True).compose(text.removeprefix("\ufeff"))


def member_of(node: Any, name: str) -> tuple[Any, Any]:
    found = next(((key, value) for key, value in node.value if key.value == name), None)
    if found is None:
        raise RegistrationError(f"`{name}` comes from another place of the file by an anchor; take it out by hand")
    return found
