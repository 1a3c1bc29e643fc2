"""What of an agent's output a terminal gets to see: text, and the sequences that are known to do no harm. Sans-io.

Colours, cursor and screens pass. What sets titles or the clipboard, prints, locks the keyboard, moves windows or makes
another kind of terminal of it does not. Bytes that are no UTF-8 are shown as a replacement: a terminal may take single
bytes of them for controls.
"""

import re
from collections.abc import Callable, Mapping

from daemon.cli.launch.sequences import (
    CONTROL_SEQUENCES,
    CONTROLS,
    DESIGNATIONS,
    ESCAPES,
    MODES,
    PLAIN_MODES,
    STRINGS,
)

_LONGEST = 65536
_PLAIN = re.compile(rb"[\x20-\x7e\r\n]+")
_IN_STRING = re.compile(rb"[^\x07\x1b\x18\x1a]+")
_STRING_STARTS = frozenset(b"]P_^Xk")
"""The strings of the standard, and the one with which screen and tmux name a window."""
_OSC = ord("]")
_CSI = ord("[")
_BELL, _ESCAPE, _CANCEL, _SUBSTITUTE = 0x07, 0x1B, 0x18, 0x1A
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_LENGTHS = ((0xC2, 0xDF, 2), (0xE0, 0xEF, 3), (0xF0, 0xF4, 4))
_SECOND = {0xC2: (0xA0, 0xBF), 0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""Narrower bounds of a second byte: no longer form of a short character, and no control from U+0080 to U+009F."""


class Screen:
    """Takes output in pieces, as they come; a sequence may be cut anywhere.

    `_state` is what the next byte is for: plain text, a character of several bytes, what follows ESC, what follows
    ESC [, a string, or what follows ESC inside a string. `_held` is the sequence so far, which is shown or dropped
    as a whole.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._length = 0
        self._state: Callable[[int, bytearray], None] = self._ground

    def show(self, piece: bytes) -> bytes:
        """Return what of a piece may be written."""
        shown = bytearray()
        place = 0
        while place < len(piece):
            # Most of the output goes in runs, which is much faster than byte by byte.
            if self._state == self._ground and (run := _PLAIN.match(piece, place)):
                shown += run[0]
                place = run.end()
            elif self._state == self._string and (run := _IN_STRING.match(piece, place)):
                self._held += run[0][: max(0, _LONGEST + 1 - len(self._held))]
                place = run.end()
            else:
                self._state(piece[place], shown)
                place += 1
        return bytes(shown)

    def _ground(self, byte: int, shown: bytearray) -> None:
        if byte == _ESCAPE:
            self._begin(byte, self._escape)
        elif byte >= 0x80:
            self._length = next((length for first, last, length in _LENGTHS if first <= byte <= last), 0)
            if self._length:
                self._begin(byte, self._character)
            else:
                shown += _REPLACEMENT
        elif 0x20 <= byte < 0x7F or byte in CONTROLS:
            shown.append(byte)

    def _character(self, byte: int, shown: bytearray) -> None:
        lowest, highest = _SECOND.get(self._held[0], (0x80, 0xBF)) if len(self._held) == 1 else (0x80, 0xBF)
        if not lowest <= byte <= highest:
            shown += _REPLACEMENT
            self._leave(byte, shown)
            return
        self._held.append(byte)
        if len(self._held) == self._length:
            self._state = self._ground
            shown += self._held

    def _escape(self, byte: int, shown: bytearray) -> None:
        first = len(self._held) == 1
        if byte < 0x20 or byte >= 0x7F:
            self._leave(byte, shown)
        elif first and byte == _CSI:
            self._held.append(byte)
            self._state = self._control
        elif first and byte in _STRING_STARTS:
            self._held.append(byte)
            self._state = self._string
        elif byte <= 0x2F and len(self._held) < _LONGEST:
            self._held.append(byte)  # the last byte follows
        else:
            self._state = self._ground
            self._held.append(byte)
            body = bytes(self._held[1:])
            if body in DESIGNATIONS or (first and byte in ESCAPES):
                shown += self._held

    def _control(self, byte: int, shown: bytearray) -> None:
        if byte in (_CANCEL, _SUBSTITUTE, _ESCAPE) or byte >= 0x80:
            self._leave(byte, shown)
        elif byte < 0x20:
            if byte in CONTROLS:
                shown.append(byte)  # a terminal acts on these in the middle of a sequence
        elif 0x40 <= byte <= 0x7E:
            self._state = self._ground
            if len(self._held) < _LONGEST:
                shown += _allowed(bytes(self._held[2:]) + bytes([byte]))
        elif len(self._held) < _LONGEST:  # a longer one is dropped
            self._held.append(byte)

    def _string(self, byte: int, shown: bytearray) -> None:
        if byte == _BELL:
            self._finish(b"\x07", shown)
        elif byte == _ESCAPE:
            self._state = self._string_end
        elif byte in (_CANCEL, _SUBSTITUTE):
            self._state = self._ground

    def _string_end(self, byte: int, shown: bytearray) -> None:
        if byte == ord("\\"):
            self._finish(b"\x1b\\", shown)
        else:
            self._begin(_ESCAPE, self._escape)
            self._escape(byte, shown)

    def _finish(self, end: bytes, shown: bytearray) -> None:
        self._state = self._ground
        body = bytes(self._held[2:])
        if self._held[1] == _OSC and len(self._held) <= _LONGEST and STRINGS.match(body) and _is_clean(body):
            shown += self._held + end

    def _begin(self, byte: int, state: Callable[[int, bytearray], None]) -> None:
        self._held = bytearray([byte])
        self._state = state

    def _leave(self, byte: int, shown: bytearray) -> None:
        self._state = self._ground
        self._ground(byte, shown)


def _allowed(body: bytes) -> bytes:
    """Return what of a control sequence is written; body is what follows ESC [."""
    if body[-1:] in (b"h", b"l"):
        private = body.startswith(b"?")
        known: Mapping[bytes, bytes | None] = MODES if private else PLAIN_MODES
        passing = [mode for mode in body[private:-1].split(b";") if mode in known]
        return b"\x1b[" + b"?" * private + b";".join(passing) + body[-1:] if passing else b""
    return b"\x1b[" + body if CONTROL_SEQUENCES.match(body) else b""


def _is_clean(body: bytes) -> bool:
    """Say whether a string is text without any control, also without those of two bytes."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return not any(ord(letter) < 0x20 or 0x7F <= ord(letter) <= 0x9F for letter in text)
