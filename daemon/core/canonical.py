"""Canonical JSON (RFC 8785): one text for one value, so that hashes of values mean something."""

from collections.abc import Collection
from typing import Any

import rfc8785

from daemon.core.json_writing import json_writer

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

MAX_DEPTH = 128
"""Deeper values are refused: the answer must not depend on how much stack the caller has left."""

_encode = json_writer(ascii_only=False, sort_keys=True)


class CanonicalError(ValueError):
    """A value has no canonical JSON form; the message says why."""


def canonical_json(value: Any) -> str:
    """Write a JSON value in its canonical form."""
    try:
        if not _is_plain(value):
            _check_depth(value)
            return rfc8785.dumps(value).decode()
        text = _encode(value)
        if not text.isascii():
            text.encode()  # a lone surrogate has no UTF-8 form, and so no canonical one
    except RecursionError as error:
        raise CanonicalError("The value is nested too deeply.") from error
    except UnicodeError as error:
        raise CanonicalError("The value holds text that is not valid Unicode (a lone surrogate).") from error
    except rfc8785.CanonicalizationError as error:
        raise CanonicalError(f"The value cannot be written as JSON: {error}.") from error
    return text


def _is_plain(value: Any) -> bool:
    """Say whether the standard encoder provably writes this value the way RFC 8785 does.

    True for exact str, int, bool, None, dict, list and tuple when integers are in the safe range and keys
    sort the same by code point as by UTF-16 unit, which they do unless one lies beyond U+FFFF. Numbers with
    a fraction and subclasses take the slow road. Each test runs over a whole container inside the interpreter.
    """
    # Containers that are still to be looked at, each with how many others it lies in.
    left: list[tuple[Any, int]] = [(value if type(value) in _CONTAINERS else (value,), 0)]
    while left:
        container, depth = left.pop()
        members: Collection[Any] = container
        if type(container) is dict:
            try:
                keys = "".join(container)
            except TypeError:
                wrong = next(key for key in container if not isinstance(key, str))
                raise CanonicalError(f"An object key is {wrong!r}; keys must be strings.") from None
            if not keys.isascii() and max(keys) > "\uffff":
                return False
            members = container.values()
        if depth == MAX_DEPTH:
            raise CanonicalError(f"The value is nested deeper than {MAX_DEPTH} levels.")
        kinds = set(map(type, members))
        if kinds <= _LEAVES:
            continue
        if not kinds <= _PLAIN:
            return False
        for member in members:
            kind = type(member)
            if kind is int:
                if not -MAX_SAFE_INTEGER <= member <= MAX_SAFE_INTEGER:
                    return False
            elif kind in _CONTAINERS:
                left.append((member, depth + 1))
    return True


_LEAVES = frozenset({str, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})
_PLAIN = _LEAVES | _CONTAINERS | {int}


def _check_depth(value: Any) -> None:
    """Refuse what is nested too deeply before the recursive slow road is taken."""
    depth = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list | tuple)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise CanonicalError(f"The value is nested deeper than {MAX_DEPTH} levels.")
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
