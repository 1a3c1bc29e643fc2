"""Where things stand in a JSON text, comments and trailing commas allowed: no library keeps those places."""

import json
from dataclasses import dataclass, field

from launchers.registration.errors import RegistrationError

_SPACE = " \t\r\n\ufeff"


@dataclass(slots=True)
class Value:
    """A value and the span of its text; for an object, its members."""

    start: int
    end: int = 0
    members: "dict[str, Member] | None" = None

    def below(self, *names: str) -> "Value | None":
        """Return the value at the end of a path of names, if it is there."""
        found: Value | None = self
        for name in names:
            member = None if found is None else (found.members or {}).get(name)
            found = None if member is None else member.value
        return found


@dataclass(slots=True)
class Member:
    """One member of an object: where its key begins, and its value."""

    start: int
    value: Value


@dataclass(slots=True)
class _Reader:
    text: str
    comments: bool
    place: int = 0
    depth: int = field(default=0)

    def fail(self, problem: str) -> RegistrationError:
        line = self.text.count("\n", 0, self.place) + 1
        return RegistrationError(f"line {line}: {problem}")

    def space(self) -> None:
        while self.place < len(self.text):
            if self.text[self.place] in _SPACE:
                self.place += 1
            elif self.comments and self.text.startswith("//", self.place):
                end = self.text.find("\n", self.place)
                self.place = len(self.text) if end < 0 else end
            elif self.comments and self.text.startswith("/*", self.place):
                end = self.text.find("*/", self.place + 2)
                if end < 0:
                    raise self.fail("a comment does not end")
                self.place = end + 2
            else:
                return

    def peek(self) -> str:
        self.space()
        if self.place >= len(self.text):
            raise self.fail("the file ends in the middle")
        return self.text[self.place]

    def string(self) -> str:
        start = self.place
        self.place += 1
        while self.place < len(self.text) and self.text[self.place] != '"':
            self.place += 2 if self.text[self.place] == "\\" else 1
        self.place += 1
        try:
            found: str = json.loads(self.text[start : self.place])
        except ValueError:
            self.place = start
            raise self.fail("this is not a JSON string") from None
        return found

    def value(self) -> Value:
        opening = self.peek()
        found = Value(self.place)
        if opening == "{":
            found.members = self.object()
        elif opening == "[":
            self.array()
        elif opening == '"':
            self.string()
        else:
            while self.place < len(self.text) and self.text[self.place] not in ",]}/" + _SPACE:
                self.place += 1
            try:
                json.loads(self.text[found.start : self.place])
            except ValueError:
                self.place = found.start
                raise self.fail("this is not a JSON value") from None
        found.end = self.place
        return found

    def object(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        self.enter()
        while self.peek() != "}":
            if self.text[self.place] != '"':
                raise self.fail("a name in quotes is missing")
            start = self.place
            name = self.string()
            if name in members:
                raise self.fail(f"{name!r} stands here twice")
            if self.peek() != ":":
                raise self.fail("a colon is missing")
            self.place += 1
            members[name] = Member(start, self.value())
            self.separator("}")
        self.leave()
        return members

    def array(self) -> None:
        self.enter()
        while self.peek() != "]":
            self.value()
            self.separator("]")
        self.leave()

    def separator(self, closing: str) -> None:
        if self.peek() == ",":
            self.place += 1
            if self.peek() == closing and not self.comments:
                raise self.fail("a comma stands before the end")
        elif self.peek() != closing:
            raise self.fail("a comma is missing")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > 200:
            raise self.fail("it is nested too deeply")
        self.place += 1

    def leave(self) -> None:
        self.depth -= 1
        self.place += 1


def read_places(text: str, *, comments: bool) -> Value:
    """Return the one value of a text with its places."""
    reader = _Reader(text, comments)
    found = reader.value()
    reader.space()
    if reader.place < len(text):
        raise reader.fail("something stands behind the end")
    return found
