"""Finds one secret in a text, plain, in UTF-16, or with any of its letters escaped, each in its own way: pure."""

import html.entities
import re
from collections.abc import Iterator
from functools import cache

_ESCAPE_BEGINS = (b"%", b"\\", b"&")
_SHORT = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f"}


class Spelling:
    """One secret, and how it may be spelled in one layer of escapes."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        text = secret.decode("utf-8", "surrogatepass")
        self._wide = tuple(text.encode(name, "surrogatepass") for name in ("utf-16-le", "utf-16-be"))
        self._wide_has_zeros = secret.isascii()
        self._begins = (*_ESCAPE_BEGINS, b"+") if b" " in secret else _ESCAPE_BEGINS
        self._pattern: re.Pattern[bytes] | None = None

    def find(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the secret stands as it is, or in UTF-16."""
        yield from _occurrences(self.secret, data)
        if not self._wide_has_zeros or b"\0" in data:
            for form in self._wide:
                yield from _occurrences(form, data)

    def find_escaped(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the secret stands with letters escaped. This is slow, so a text without any escape is skipped."""
        if any(mark in data for mark in self._begins):
            if self._pattern is None:
                self._pattern = _spelled(self.secret)
            for match in self._pattern.finditer(data):
                yield match.span()


def _occurrences(form: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = data.find(form, at + len(form))


def _spelled(secret: bytes) -> re.Pattern[bytes]:
    """Return the pattern of the secret with any of its characters escaped the JSON, URL or HTML way.

    A run of backslashes is taken whole and never given back, and is begun at its first one only: otherwise a long run
    that does not match, which a service may well send, would take a time that grows with the square of its length.
    """
    parts = re.findall(r"\\+|[^\\]", secret.decode("utf-8", "surrogatepass"))
    before = ("", *parts)
    return re.compile(b"".join(_alternatives(part, before[index]) for index, part in enumerate(parts)))


_BACKSLASHES = rb"\\(?<!\\\\)\\*+"


def _alternatives(part: str, before: str) -> bytes:
    if part.startswith("\\"):
        # Each backslash may be doubled any number of times, so at least as many are looked for.
        size = len(part)
        run = rb"%b(?<=%b)" % (_BACKSLASHES, rb"\\" * size)
        escaped = b"|".join((rb"%(?:25)*5[cC]", _BACKSLASHES + rb"u005[cC]", *_references("\\")))
        return b"(?:%b|(?:%b){%d})" % (run, escaped, size)
    plain = part.encode("utf-8", "surrogatepass")
    marked = b"|".join(_after_backslash(part, plain))
    # Each alternative begins with another letter, so that the search can skip places where none can begin.
    options = [
        re.escape(plain),
        _BACKSLASHES + b"(?:%b)" % marked,
        b"".join(b"%%(?:25)*(?i:%02x)" % byte for byte in plain),
        *_references(part),
    ]
    if before.startswith("\\"):
        options.append(marked)  # its backslash was taken together with those in front of it
    if part == " ":
        options.append(rb"\+")
    return b"(?:" + b"|".join(options) + b")"


def _after_backslash(character: str, plain: bytes) -> Iterator[bytes]:
    yield re.escape(plain)
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = [units[index : index + 2] for index in range(0, len(units), 2)]
    yield rb"\\++".join(b"u(?i:%02x%02x)" % (unit[0], unit[1]) for unit in pairs)
    if character in _SHORT:
        yield _SHORT[character]


def _references(character: str) -> Iterator[bytes]:
    yield b"&#0*%d;" % ord(character)
    yield b"&#[xX]0*(?i:%x);" % ord(character)
    for name in _names().get(character, ()):
        yield b"&%b" % name


@cache
def _names() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for name, meant in html.entities.html5.items():
        if name.endswith(";"):
            found.setdefault(meant, []).append(name.encode())
    return found
