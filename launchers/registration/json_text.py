"""Our entry in a JSON file: put in as the first member of an object, in a form that can be taken out exactly."""

import json
from collections.abc import Mapping
from typing import Any

from launchers.registration.errors import RegistrationError
from launchers.registration.json_places import Member, Value, read_places

NAME = "aileron"


def find(text: str, *, under: str, comments: bool) -> Mapping[str, Any] | None:
    """Return our entry as it stands, or None."""
    if not text.strip("\ufeff \t\r\n"):
        return None
    container = _container(read_places(text, comments=comments), under)
    member = None if container is None else (container.members or {}).get(NAME)
    if member is None:
        return None
    entry = _data(text[member.value.start : member.value.end], comments=comments)
    return entry if isinstance(entry, dict) else {"": entry}


def put_in(text: str, entry: Mapping[str, Any], *, under: str, comments: bool) -> str:
    """Return the text with our entry; one that is there is replaced where it stands."""
    written = json.dumps(entry)
    if not text.strip("\ufeff \t\r\n"):
        return f"{text}{{ {_fresh(under, written)} }}"  # the spaces tell this file from one that held `{}`
    root = read_places(text, comments=comments)
    container = _container(root, under)
    if container is None:
        return put_first(text, root, _fresh(under, written))
    member = (container.members or {}).get(NAME)
    if member is not None:
        return text[: member.value.start] + written + text[member.value.end :]
    return put_first(text, container, f'"{NAME}": {written}')


def give_back(text: str, before: str, *, under: str, comments: bool) -> str:
    """Return the text with the entry of the person's own that stood in another one in place of ours."""
    ours = read_places(text, comments=comments).below(under, NAME)
    theirs = read_places(before, comments=comments).below(under, NAME)
    if ours is None or theirs is None:
        return text
    return text[: ours.start] + before[theirs.start : theirs.end] + text[ours.end :]


def take_out(text: str, *, under: str, comments: bool) -> str:
    """Return the text without our entry, as it was before it was put in."""
    if not text.strip("\ufeff \t\r\n"):
        return text
    root = read_places(text, comments=comments)
    container = _container(root, under)
    member = None if container is None else (container.members or {}).get(NAME)
    if container is None or member is None:
        return text
    written = text[member.value.start : member.value.end]
    if text[root.start : root.end] == f"{{ {_fresh(under, written)} }}":
        return text[: root.start] + text[root.end :]
    if text[container.start : container.end] == f'{{ "{NAME}": {written} }}':
        return _without(text, root, (root.members or {})[under])  # the object around it came with it
    return _without(text, container, member)


def _fresh(under: str, written: str) -> str:
    # The spaces tell an object that came with our entry from one that was there and empty.
    return f'"{under}": {{ "{NAME}": {written} }}'


def _container(root: Value, under: str) -> Value | None:
    if root.members is None:
        raise RegistrationError("line 1: the file does not hold an object")
    member = root.members.get(under)
    if member is not None and member.value.members is None:
        raise RegistrationError(f"{under!r} is not an object")
    return None if member is None else member.value


def put_first(text: str, parent: Value, member: str) -> str:
    """Put a member behind the opening brace: on a line of its own unless the object is just `{}`."""
    place = parent.start + 1
    if text[place : parent.end - 1] == "":
        return text[:place] + member + text[place:]
    line = "\r\n" if "\r\n" in text else "\n"
    comma = "," if parent.members else ""
    return f"{text[:place]}{line}{_indent(text, parent)}{member}{comma}{text[place:]}"


def _without(text: str, parent: Value, member: Member) -> str:
    """Take a member out with what was put in around it; where it was moved to, with its line and one comma."""
    end = member.value.end
    behind = text[end : parent.end - 1]
    before = text[parent.start + 1 : member.start]
    if before.strip() == "":
        start = parent.start + 1
        if behind.lstrip().startswith(","):
            return text[:start] + text[end + behind.index(",") + 1 :]
        return text[:start] + text[end:]
    head = text[: member.start].rstrip()
    if behind.lstrip().startswith(","):
        return head + text[end + behind.index(",") + 1 :]
    return head.removesuffix(",") + text[end:]


def _indent(text: str, parent: Value) -> str:
    for member in (parent.members or {}).values():
        line = text[text.rfind("\n", 0, member.start) + 1 : member.start]
        if line.strip() == "" and "\n" in text[parent.start : member.start]:
            return line
    line = text[text.rfind("\n", 0, parent.start) + 1 : parent.start]
    return line[: len(line) - len(line.lstrip())] + "  "


def _data(text: str, *, comments: bool) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if not comments:
            raise
        return {"": text}  # with comments in it: not as we write it
