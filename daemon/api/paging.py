"""Lists in parts: one way for every route of both APIs.

A list has an order by a key that no two items share and that no item ever changes. A cursor says behind which key the
next part begins. So nothing comes twice, and nothing that is there the whole time is missed, whatever comes and goes.

A cursor holds no right and no secret: whoever makes one up reads, in the same list, what they may read anyway.
"""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from daemon.core.failures import Boundary, Failure, FailureClass

T = TypeVar("T")
Key = tuple[str | int, ...]
MOST = 1000
USUAL = 100
NEXT = "What to give as `cursor` for the part behind this one; null at the end."
_LONGEST_CURSOR = 1000
_LARGEST = 2**53


class ListPart(BaseModel):
    """A part of a list."""

    model_config = ConfigDict(extra="allow")

    items: list[dict[str, Any]]
    next_cursor: str | None = Field(description=NEXT)


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is wanted."""

    limit: int
    cursor: str | None = None

    def behind(self, name: str, *kinds: type) -> Key | None:
        """Return the key behind which the part begins, None for the first part.

        `name` is that of the list, `kinds` are those of the values of a key. Raises Failure for a cursor that is none,
        or one of another list.
        """
        key = self._key(name)
        if key is not None and (len(key) != len(kinds) or not all(map(_is_of, key, kinds))):
            raise _no_cursor()
        return key

    def check(self, name: str) -> None:
        """Raise Failure for a cursor that is none, or one of another list."""
        self._key(name)

    def _key(self, name: str) -> Key | None:
        if self.cursor is None:
            return None
        try:
            named, *key = json.loads(base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4)))
        except (ValueError, TypeError, RecursionError):
            raise _no_cursor() from None
        if named != name:
            raise _no_cursor()
        return tuple(key)


def _no_cursor() -> Failure:
    message = "The cursor is none that this list gave. Ask without one, from the beginning."
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


def cursor_at(name: str, key: Key) -> str:
    """Return the cursor of what comes behind a key."""
    text = json.dumps([name, *key], ensure_ascii=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def cut(
    name: str, items: Iterable[T], *, key: Callable[[T], Key], part: Part, newest_first: bool = False
) -> tuple[Sequence[T], str | None]:
    """Return the wanted part of a list that is in memory, in the order of its keys, and the cursor of the next one."""
    standing = sorted(items, key=key, reverse=newest_first)
    part.check(name)
    behind = part.behind(name, *map(type, key(standing[0]))) if standing else None
    if behind is not None:
        standing = [item for item in standing if (key(item) < behind if newest_first else key(item) > behind)]
    return first_of(name, standing[: part.limit + 1], key=key, part=part)


def first_of(name: str, found: Sequence[T], *, key: Callable[[T], Key], part: Part) -> tuple[Sequence[T], str | None]:
    """Return a part and its cursor for what was found for it: one more than the limit where there is more."""
    if len(found) <= part.limit:
        return found, None
    shown = found[: part.limit]
    return shown, cursor_at(name, key(shown[-1]))


def _is_of(value: object, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False  # a lone surrogate is valid in JSON, and no database takes it
    return True


def paged(usual: int, most: int) -> Any:
    """Return what reads the wanted part from the query of a request."""

    def asked(
        limit: Annotated[int, Query(ge=1, le=most, description="At most so many items.")] = usual,
        cursor: Annotated[
            str | None, Query(max_length=_LONGEST_CURSOR, description="The next_cursor of the part before.")
        ] = None,
    ) -> Part:
        return Part(limit, cursor)

    return Depends(asked)


Newest = Annotated[Part, paged(USUAL, MOST)]
"""A parameter of a route: the part of a list that grows without end, with few items unless more are asked for."""

Whole = Annotated[Part, paged(MOST, MOST)]
"""A parameter of a route: the part of a list that is short as a rule, so all of it unless less is asked for."""


def part_of(request: Request) -> Part:
    """Read the wanted part from a request without the framework's help."""
    limit, cursor = request.query_params.get("limit", str(MOST)), request.query_params.get("cursor")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:10]) <= MOST):
        raise Failure(FailureClass.INVALID_ARGUMENTS, f"`limit` is a number from 1 to {MOST}.", boundary=Boundary.USER)
    if cursor is not None and len(cursor) > _LONGEST_CURSOR:
        cursor = ""
    return Part(int(limit), cursor)


PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "limit",
        "in": "query",
        "description": "At most so many items.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": MOST},
    },
    {
        "name": "cursor",
        "in": "query",
        "description": "The next_cursor of the part before.",
        "schema": {"type": "string", "maxLength": _LONGEST_CURSOR},
    },
]
"""What a description that is written by hand says of `part_of`."""
