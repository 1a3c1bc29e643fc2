"""A text, and the texts that it may hold in an encoded form: each knows where its bytes stand in the first one. Pure.

Secrets are not searched for in every form that somebody could write them in; those cannot be listed (`%73k-` is a form,
and so is `s%6B-`). The encodings are undone instead, for the whole text at once, and the plain secret is searched for.
"""

import binascii
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


class _Replaced:
    """The way back where matches of a pattern were replaced or removed; worked out when it is first needed."""

    def __init__(self, pattern: "re.Pattern[bytes]", data: bytes, replace: Callable[[bytes], bytes]) -> None:
        self._pattern = pattern
        self._data = data
        self._replace = replace
        self._made: tuple[array[int], array[int], array[int]] | None = None

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        made, begins, ends = self._made or self._walk()
        first = bisect_right(made, start) - 1
        last = bisect_right(made, end - 1) - 1
        # Even pieces are copies, and keep their distances. Odd ones are whole: part of an escape is no text.
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
"""All kinds at once, and each kind alone: for secrets that look escaped themselves, and would be changed beyond."""
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
                yield view.made(plain, _Replaced(kind, data, _MEANT.__getitem__))


# UTF-16 of plain letters, which has a zero at every second place.

_ZEROS = re.compile(rb"\0+")


def narrowed(view: View) -> Iterator[View]:
    """Yield the text without its zero bytes, if it has any."""
    if b"\0" in view.data:
        yield view.made(view.data.translate(None, b"\0"), _Replaced(_ZEROS, view.data, _nothing))


def _nothing(_: bytes) -> bytes:
    return b""


# Base64 and hex: runs of their letters, long enough for what is searched, at every place where such a run may begin.

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_IS_LETTER = bytes(65 if code in _LETTERS else 32 for code in range(256))
_IS_DIGIT = bytes(65 if code in b"0123456789abcdefABCDEF" else 32 for code in range(256))
_LINE_ENDS = re.compile(rb"[\r\n]+")
_INDENTS = (b"\n ", b"\n\t", b"\r ", b"\r\t", b" \n", b"\t\n", b" \r", b"\t\r")
_INDENTED = re.compile(rb"(?<![ \t])[ \t]*+[\r\n][ \t\r\n]*+")
_BETWEEN = b" \t\r\n:;,.-_|/\\\"'=#xX"
_SEPARATORS = re.compile(rb"[ \t\r\n:;,.\-_|/\\\"'=#xX]+")


class _Runs:
    """The runs of a text one behind the other, and the way back to where each stood.

    What stands between them decodes to bytes that are in no text, so that two runs never make a secret together.
    """

    def __init__(self, data: bytes, classes: bytes, long_enough: bytes, first: int, *, between: bytes) -> None:
        self._starts, self._places = array("q"), array("q")
        pieces: list[bytes] = []
        at, size = first, 0
        while at >= 0:
            end = classes.find(b" ", at)
            piece = data[at:] if end < 0 else data[at:end]
            self._starts.append(size)
            self._places.append(at)
            pieces.append(piece)
            size += len(piece) + len(between)
            at = -1 if end < 0 else classes.find(long_enough, end)
        self.stream = between.join(pieces)

    @classmethod
    def of(cls, data: bytes, kind: bytes, shortest: int, *, between: bytes) -> "_Runs | None":
        """Return the runs of a kind of letters; None if none is long enough, which is found out quickly."""
        classes = data.translate(kind)
        long_enough = b"A" * shortest
        first = classes.find(long_enough)
        return None if first < 0 else cls(data, classes, long_enough, first, between=between)

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        return self._place(start), self._place(end - 1) + 1

    def _place(self, position: int) -> int:
        index = bisect_right(self._starts, position) - 1
        return self._places[index] + position - self._starts[index]


def from_base64(view: View, *, shortest: int) -> Iterator[View]:
    """Yield what the base64 in a text decodes to: both alphabets, padded or not, wrapped or not, at each place.

    A run that is too short to hold a secret of `shortest` bytes is left out.
    """
    data, back, needed = view.data, view.back, -(-shortest * 8 // 6)
    if len(data) < needed:
        return
    if b"\n" in data or b"\r" in data:
        wrapping = _INDENTED if any(indent in data for indent in _INDENTS) else _LINE_ENDS
        back = (_Replaced(wrapping, data, _nothing), *back)
        data = wrapping.sub(b"", data) if wrapping is _INDENTED else data.translate(None, b"\r\n")
    runs = _Runs.of(data, _IS_LETTER, needed, between=b"////")
    if runs is None:
        return
    letters = runs.stream.translate(_STANDARD)
    for phase in range(min(4, len(letters))):
        missing = -(len(letters) - phase) % 4
        plain = binascii.a2b_base64(letters[phase:] + b"A" * missing)
        yield View(plain, (_base64_place(phase, len(letters)), runs, *back))


def _base64_place(phase: int, size: int) -> Back:
    return lambda start, end: (phase + start * 8 // 6, min(size, phase - (-end * 8 // 6)))


def from_hex(view: View, *, shortest: int) -> Iterator[View]:
    """Yield what the hex in a text decodes to: in any case, with or without separators, beginning at either digit."""
    if len(view.data) < 2 * shortest:
        return
    # A prefix makes way for separators of the same length, so that every place stays the same.
    data = view.data.replace(b"0x", b"  ").replace(b"0X", b"  ")
    runs = _Runs.of(data.translate(None, _BETWEEN), _IS_DIGIT, 2 * shortest, between=b"ffff")
    if runs is None:
        return
    back = _Replaced(_SEPARATORS, data, _nothing)
    digits = runs.stream
    for phase in range(2):
        end = len(digits) - (len(digits) - phase) % 2
        yield view.made(binascii.unhexlify(digits[phase:end]), _hex_place(phase), runs, back)


def _hex_place(phase: int) -> Back:
    return lambda start, end: (phase + 2 * start, phase + 2 * end)
