"""Decodes the base64 and the hex in a text: runs of their letters, beginning at every place in a run. Pure."""

import binascii
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator

from daemon.core.scrubbing.views import Back, Replaced, View, nothing

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_IS_LETTER = bytes(65 if code in _LETTERS else 32 for code in range(256))
_IS_DIGIT = bytes(65 if code in b"0123456789abcdefABCDEF" else 32 for code in range(256))
_LINE_ENDS = re.compile(rb"[\r\n]+")
_INDENTS = (b"\n ", b"\n\t", b"\r ", b"\r\t", b" \n", b"\t\n", b" \r", b"\t\r")
_INDENTED = re.compile(rb"(?<![ \t])[ \t]*+[\r\n][ \t\r\n]*+")
_BETWEEN = b" \t\r\n:;,.-_|/\\\"'=#xX"
_NUMBER = re.compile(rb"0[xX]((?:[0-9A-Fa-f]{2})+)")
_NUMBER_ALONE = re.compile(rb"(?<![0-9A-Fa-f])" + _NUMBER.pattern)
_SEPARATORS = re.compile(rb"[ \t\r\n:;,.\-_|/\\\"'=#xX]+")


class _Runs:
    """The runs of a text joined into one, and the way back to where each of them stood.

    `between` is put between two runs. It decodes to bytes that are in no text, so no secret is found across two runs.
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
        back = (Replaced(wrapping, data, nothing), *back)
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
    for data in _without_prefixes(view.data):
        runs = _Runs.of(data.translate(None, _BETWEEN), _IS_DIGIT, 2 * shortest, between=b"ffff")
        if runs is None:
            continue
        back = Replaced(_SEPARATORS, data, nothing)
        digits = runs.stream
        for phase in range(2):
            end = len(digits) - (len(digits) - phase) % 2
            yield view.made(binascii.unhexlify(digits[phase:end]), _hex_place(phase), runs, back)


def _without_prefixes(data: bytes) -> Iterator[bytes]:
    """Put separators for each `0x`, of the same length, so that every place stays the same.

    In `0x610x70` the second `0x` is a prefix. In `70xy` the zero is the last digit of a number. Where a text allows
    both readings, both are looked into.
    """
    if b"0x" not in data and b"0X" not in data:  # the search itself is quick, and such texts are rare
        yield data
        return
    alone = _NUMBER_ALONE.sub(rb"  \1", data)
    yield alone
    everywhere = _NUMBER.sub(rb"  \1", data)
    if everywhere != alone:
        yield everywhere


def _hex_place(phase: int) -> Back:
    return lambda start, end: (phase + 2 * start, phase + 2 * end)
