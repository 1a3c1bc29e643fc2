"""What of an agent's output a terminal gets to see: everything but what acts on the person's desktop. Sans-io.

Colours, cursor and screens pass. What sets titles or the clipboard, sends notifications, moves windows or opens files
does not.
"""

import re

_LONGEST = 65536
_SAFE_OSC = re.compile(rb"(?:8;|10;\?|11;\?|4;\d+;\?|133;)[^\x1b\x07]*\Z|(?:110|111|112)\Z")
"""Hyperlinks, what colours there are, and marks of prompts."""
_WINDOW = ord("t")
_STRINGS = frozenset(b"]P_^X")
_OSC = ord("]")
_CSI = ord("[")
_BELL, _ESCAPE, _CANCEL, _SUBSTITUTE = 0x07, 0x1B, 0x18, 0x1A


class Screen:
    """Takes output in pieces, as they come; a sequence may be cut anywhere."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._state = self._ground

    def show(self, piece: bytes) -> bytes:
        """Return what of a piece may be written."""
        shown = bytearray()
        for byte in piece:
            self._state(byte, shown)
        return bytes(shown)

    def _ground(self, byte: int, shown: bytearray) -> None:
        if byte == _ESCAPE:
            self._begin(byte, self._escape)
        elif byte == 0xC2:
            self._begin(byte, self._two_bytes)
        else:
            shown.append(byte)

    def _two_bytes(self, byte: int, shown: bytearray) -> None:
        # U+0080 to U+009F are controls, too, and some terminals obey them.
        self._state = self._ground
        if not 0x80 <= byte <= 0x9F:
            shown += self._held
            self._ground(byte, shown)

    def _escape(self, byte: int, shown: bytearray) -> None:
        self._held.append(byte)
        if byte == _CSI:
            self._state = self._control
        elif byte in _STRINGS:
            self._state = self._string
        elif byte == _ESCAPE:
            self._begin(byte, self._escape)
        elif 0x20 <= byte <= 0x2F:
            return  # an intermediate byte; the final one follows
        elif byte < 0x20:
            self._leave(byte, shown)
        else:
            self._state = self._ground
            if byte not in b"Zc":  # who are you, and forget everything
                shown += self._held

    def _control(self, byte: int, shown: bytearray) -> None:
        if byte in (_CANCEL, _SUBSTITUTE, _ESCAPE):
            self._leave(byte, shown)
            return
        if byte < 0x20:
            shown.append(byte)  # a terminal acts on these in the middle of a sequence
            return
        self._held.append(byte)
        if 0x40 <= byte <= 0x7E:
            self._state = self._ground
            if byte != _WINDOW:
                shown += self._held
        elif len(self._held) > _LONGEST:
            self._state = self._ground

    def _string(self, byte: int, shown: bytearray) -> None:
        if byte == _BELL:
            self._finish(b"\x07", shown)
        elif byte == _ESCAPE:
            self._state = self._string_end
        elif byte in (_CANCEL, _SUBSTITUTE):
            self._state = self._ground
        elif len(self._held) <= _LONGEST:  # the rest of one that is longer goes nowhere
            self._held.append(byte)

    def _string_end(self, byte: int, shown: bytearray) -> None:
        if byte == ord("\\"):
            self._finish(b"\x1b\\", shown)
        else:
            self._begin(_ESCAPE, self._escape)
            self._escape(byte, shown)

    def _finish(self, end: bytes, shown: bytearray) -> None:
        self._state = self._ground
        body = bytes(self._held[2:])
        if self._held[1] == _OSC and len(self._held) <= _LONGEST and _SAFE_OSC.match(body):
            shown += self._held + end

    def _begin(self, byte: int, state: "object") -> None:
        self._held = bytearray([byte])
        self._state = state  # type: ignore[assignment]

    def _leave(self, byte: int, shown: bytearray) -> None:
        self._state = self._ground
        self._ground(byte, shown)
