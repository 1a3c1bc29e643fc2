"""A text, and the texts that it holds in an encoded form; each knows where its bytes stand in the first one. Pure.

Secrets are not searched for in every form that somebody could write them in; those cannot be listed (`%73k-` is a form,
and so is `s%6B-`). The encodings are undone instead, for the whole text at once, and the plain secret is searched for.
"""

import html.entities
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Back = Callable[[int, int], tuple[int, int]]
"""From a span of a text to the span of the text that it was made of."""


@dataclass(frozen=True, slots=True)
class View:
    """A text, and the way back to the first one; the first text itself has none."""

    data: bytes
    back: tuple[Back, ...] = ()

    def made(self, data: bytes, *back: Back) -> "View":
        """Return a text that was made of this one; the ways back are given the nearest first."""
        return View(data, (*back, *self.back))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return where a span of this text stands in the first one."""
        for step in self.back:
            start, end = step(start, end)
        return start, end


class Replaced:
    """The way back where matches of a pattern were replaced or removed; worked out when it is first needed."""

    def __init__(self, pattern: "re.Pattern[bytes]", data: bytes, replace: Callable[[bytes], bytes]) -> None:
        self._pattern = pattern
        self._data = data
        self._replace = replace
        self._made: tuple[array[int], array[int], array[int]] | None = None

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the text before, for a span of the text after."""
        made, begins, ends = self._made or self._walk()
        first = bisect_right(made, start) - 1
        last = bisect_right(made, end - 1) - 1
        # The pieces take turns: text that was copied (even), and an escape that was replaced (odd). In copied text a
        # position is as far from the beginning as before. A position in an escape stands for the whole escape.
        begin = begins[first] + (start - made[first] if first % 2 == 0 else 0)
        finish = begins[last] + (end - made[last]) if last % 2 == 0 else ends[last]
        return begin, finish

    def _walk(self) -> tuple["array[int]", "array[int]", "array[int]"]:
        made, begins, ends = array("q", [0]), array("q", [0]), array("q")
        at, source = 0, 0
        for match in self._pattern.finditer(self._data):
            at += match.start() - source
            ends.append(match.start())
            made.append(at)
            begins.append(match.start())
            source = match.end()
            at += len(self._replace(match[0]))
            ends.append(source)
            made.append(at)
            begins.append(source)
        ends.append(len(self._data))
        self._made = made, begins, ends
        return self._made


# Escapes of JSON, URLs and HTML, of any letter, all in one pass.

_PERCENT = rb"%[0-9A-Fa-f]{2}"
_JSON = (
    rb"\\u[dD][89ABab][0-9A-Fa-f]{2}\\u[dD][C-Fc-f][0-9A-Fa-f]{2}"  # one letter in two halves
    rb"|\\u[0-9A-Fa-f]{4}"
    rb"|\\[\"'/\\bfnrt]"
)
_HTML = rb"&(?:#[0-9]{1,9}|#[xX][0-9A-Fa-f]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});"
ANY_ESCAPE = re.compile(b"|".join((_PERCENT, _JSON, _HTML)))
EACH_ESCAPE = (ANY_ESCAPE, re.compile(_PERCENT), re.compile(_JSON), re.compile(_HTML))
"""All kinds at once, and each kind alone: the former changes a secret that itself looks escaped, like `a%41b`."""
_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class _Escapes(dict[bytes, bytes]):
    """What each escape stands for, worked out once; a text has many, and few different ones."""

    def __missing__(self, escape: bytes) -> bytes:
        meant = _meant_by(escape)
        if len(self) < 100_000:
            self[escape] = meant
        return meant


def _meant_by(escape: bytes) -> bytes:
    match escape[:2]:
        case b"\\u":
            units = bytes.fromhex(escape.replace(b"\\u", b"").decode())
            return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
        case b"&#":
            digits = escape[2:-1].decode()
            number = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
            return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else escape
    match escape[:1]:
        case b"%":
            return bytes.fromhex(escape[1:].decode())
        case b"\\":
            return _SHORT.get(escape[1:], escape[1:])
        case _:
            return html.entities.html5.get(escape[1:].decode(), escape.decode()).encode()


_MEANT = _Escapes()


def unescaped(view: View, kinds: Sequence["re.Pattern[bytes]"] = (ANY_ESCAPE,)) -> Iterator[View]:
    """Yield the text with one layer of escapes undone, of each of the kinds, if there are any."""
    data = view.data
    if b"%" in data or b"\\" in data or b"&" in data:
        for kind in kinds:
            plain = kind.sub(lambda match: _MEANT[match[0]], data)
            if plain != data:
                yield view.made(plain, Replaced(kind, data, _MEANT.__getitem__))


# UTF-16 of plain letters, which has a zero at every second place.

_ZEROS = re.compile(rb"\0+")


def narrowed(view: View) -> Iterator[View]:
    """Yield the text without its zero bytes, if it has any."""
    if b"\0" in view.data:
        yield view.made(view.data.translate(None, b"\0"), Replaced(_ZEROS, view.data, nothing))


def nothing(_: bytes) -> bytes:
    """Replace by nothing."""
    return b""
