"""Members of objects in a JSON text, with or without comments: taken out with their comma, and put back."""

import json
import re
from typing import Any

from launchers.importing.keys import Key
from launchers.registration.errors import RegistrationError
from launchers.registration.json_places import Member, Value, read_places
from launchers.registration.json_text import put_first

_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = r"//[^\n]*|/\*.*?\*/"
_STRING_OR_COMMENT = re.compile(f"({_STRING})|{_COMMENT}", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[\]}}])", re.DOTALL)


def read(text: str, *, comments: bool) -> Any:
    """Return what the text says; raises RegistrationError."""
    if not text.strip("\ufeff \t\r\n"):
        return {}
    read_places(text, comments=comments)  # which finds names that stand twice, and says in which line it is wrong
    plain = text.replace("\ufeff", " ") if text.startswith("\ufeff") else text
    if comments:
        plain = _STRING_OR_COMMENT.sub(lambda found: found[1] or " ", plain)
        plain = _STRING_OR_LAST_COMMA.sub(lambda found: found[1] or "", plain)
    try:
        return json.loads(plain)
    except ValueError as problem:
        raise RegistrationError(f"it is not valid JSON: {problem}") from None


def without(text: str, keys: list[Key], *, comments: bool) -> str:
    """Return the text without the members at these places."""
    root = read_places(text, comments=comments)
    objects: list[tuple[Value, list[str]]] = []
    for container in dict.fromkeys(key[:-1] for key in keys):
        parent = root.below(*container)
        if parent is None or parent.members is None:
            raise RegistrationError(f"{'.'.join(container)} is no object")
        objects.append((parent, [key[-1] for key in keys if key[:-1] == container]))
    # The last one first, so that the places of the others stay right; each is read again by itself, because the file
    # around it may be large.
    for parent, names in sorted(objects, key=lambda each: each[0].start, reverse=True):
        written = text[parent.start : parent.end]
        for name in names:
            written = _without(written, name, comments=comments)
        text = text[: parent.start] + written + text[parent.end :]
    return text


def put_back(text: str, before: str, keys: list[Key], *, comments: bool) -> str:
    """Return the text with the members as they stood in an earlier one, first in their objects."""
    old = read_places(before, comments=comments)
    for key in reversed(keys):
        member = _at(old, key)
        if member is None:
            raise RegistrationError(f"{key[-1]!r} was not there")
        text = _put_back(text, key, before[member.start : member.value.end], comments=comments)
    return text


def _put_back(text: str, key: Key, written: str, *, comments: bool) -> str:
    if not text.strip("\ufeff \t\r\n"):
        text += "{}"
    parent = read_places(text, comments=comments)
    for depth, name in enumerate(key[:-1]):
        member = (parent.members or {}).get(name)
        if member is None:
            for missing in reversed(key[depth:-1]):
                written = f"{json.dumps(missing)}: {{ {written} }}"
            break
        parent = member.value
    if parent.members is None:
        raise RegistrationError(f"{'.'.join(key[:-1])} is not an object")
    return put_first(text, parent, written)


def _at(root: Value, key: Key) -> Member | None:
    parent = root.below(*key[:-1])
    return None if parent is None else (parent.members or {}).get(key[-1])


def _without(text: str, name: str, *, comments: bool) -> str:
    """Return the text of an object without one of its members."""
    parent = read_places(text, comments=comments)
    member = (parent.members or {}).get(name)
    if member is None:
        raise RegistrationError(f"{name!r} is not there")
    end = member.value.end
    comma = _comma(text, end, parent.end - 1, comments=comments)
    if comma is not None:
        # A comment may stand between the value and its comma; it stays.
        head, tail = text[: member.start], text[end:comma] + text[comma + 1 :]
        return _joined(head, tail)
    head, tail = text[: member.start], text[end:]
    before = max((each.value.end for each in (parent.members or {}).values() if each.start < member.start), default=0)
    comma = _comma(text, before, member.start, comments=comments) if before else None
    if comma is not None:
        head = text[:comma] + text[comma + 1 : member.start]
    return _joined(head, tail)


def _joined(head: str, tail: str) -> str:
    """Join what stood around a member, without the line that became empty or the spaces that became too many."""
    start = head.rfind("\n") + 1
    rest = tail.lstrip(" \t\r")
    if start and not head[start:].strip(" \t") and rest.startswith("\n"):
        return head[:start] + rest[1:]
    if tail[:1] in {" ", "}", "\t"}:
        return head.rstrip(" \t") + tail if head.rstrip(" \t")[-1:] not in {"{", ","} else head + tail.lstrip(" \t")
    return head + tail


def _comma(text: str, start: int, end: int, *, comments: bool) -> int | None:
    """Return where the first comma outside of comments stands."""
    for found in re.finditer(rf"{_COMMENT}|," if comments else ",", text[start:end], re.DOTALL):
        if found[0] == ",":
            return start + found.start()
    return None
