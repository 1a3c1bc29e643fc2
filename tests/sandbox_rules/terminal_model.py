"""A terminal, as far as its state outlives the text that was written: what a person would find after a launch."""

import re
from dataclasses import dataclass, field

_SEQUENCE = re.compile(
    rb"\x1b\[(?P<mark>[?>=<]?)(?P<numbers>[0-9;:]*)(?P<between>[ -/]*)(?P<last>[@-~])"
    rb"|\x1b\](?P<string>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|\x1b(?P<set>[()*+])(?P<name>.)"
    rb"|\x1b(?P<escape>[ -~])"
    rb"|(?P<control>[\x00-\x1a])"
)
_ON = {b"?7", b"?25", b"34"}


@dataclass
class Terminal:
    """What differs from a terminal that was just opened; equal to a new one when nothing does."""

    modes: set[bytes] = field(default_factory=set)
    """Those that are not as usual, private ones with a question mark."""
    sets: dict[bytes, bytes] = field(default_factory=dict)
    shifted: bool = False
    keypad: bool = False
    margins: bytes = b""
    link: bytes = b""
    colours: bytes = b""
    cursor: bytes = b""
    keys: dict[bool, int] = field(default_factory=dict)
    """How many ways of reporting keys were pushed, on the other screen and on the usual one."""
    older_keys: bytes = b""
    stops: bool = False
    printing: bool = False
    vt52: bool = False
    locked: bool = False

    def write(self, output: bytes) -> "Terminal":
        for found in _SEQUENCE.finditer(output):
            if found["control"] is not None:
                self._control(found["control"])
            elif found["string"] is not None:
                if found["string"].startswith(b"8;"):
                    self.link = found["string"].split(b";", 2)[2]
            elif found["set"] is not None:
                self.sets[found["set"]] = found["name"]
                self.sets = {place: name for place, name in self.sets.items() if name != b"B"}
            elif found["escape"] is not None:
                self.keypad = {b"=": True, b">": False}.get(found["escape"], self.keypad)
                self.stops |= found["escape"] == b"H"
            else:
                self._sequence(found["mark"], found["numbers"], found["between"], found["last"])
        return self

    def _control(self, control: bytes) -> None:
        self.shifted = {b"\x0e": True, b"\x0f": False}.get(control, self.shifted)

    def _sequence(self, mark: bytes, numbers: bytes, between: bytes, last: bytes) -> None:
        if last in (b"h", b"l"):
            for number in numbers.split(b";"):
                self._mode(mark, number, on=last == b"h")
        elif last == b"r" and not mark + between:
            self.margins = numbers
        elif last == b"m" and not mark + between:
            self.colours = b"" if numbers in (b"", b"0") else numbers
        elif last == b"m" and mark == b">":
            self.older_keys = numbers.partition(b";")[2]
        elif last == b"q" and between == b" ":
            self.cursor = b"" if numbers in (b"", b"0") else numbers
        elif last == b"u" and mark in (b">", b"<", b"="):
            self._keys(mark, numbers)
        elif last == b"i":
            self.printing = True
        elif last in (b"g", b"W"):
            self.stops = True

    def _keys(self, mark: bytes, numbers: bytes) -> None:
        screen = b"?1049" in self.modes
        count = self.keys.pop(screen, 0)
        change = int(numbers or b"1") if mark == b"<" else -1
        if count - change > 0:
            self.keys[screen] = count - change

    def _mode(self, mark: bytes, number: bytes, *, on: bool) -> None:
        if mark == b"?" and number in (b"47", b"1047", b"1049"):
            number = b"1049"
        if (mark, number) == (b"?", b"2"):
            self.vt52 |= not on
        elif (mark, number) == (b"", b"2"):
            self.locked |= on
        elif on == (mark + number in _ON):
            self.modes.discard(mark + number)
        else:
            self.modes.add(mark + number)


@dataclass
class Cursor:
    """Where the cursor is, as xterm moves it, or as tmux does, which differ on the way between the two screens."""

    tmux: bool
    place: str = "here"
    on_other: bool = False
    saved: dict[object, str] = field(default_factory=lambda: {"entered": "where an earlier program began"})

    def write(self, output: bytes) -> "Cursor":
        for found in _SEQUENCE.finditer(output):
            if found["escape"] == b"7":
                self.saved[self.on_other] = self.place
            elif found["escape"] == b"8":
                self.place = self.saved.get(self.on_other, "top")
            elif found["last"] == b"r":
                self.place = "top"
            elif found["last"] in (b"h", b"l") and b"1049" in found["numbers"]:
                self._screen(other=found["last"] == b"h")
        return self

    def _screen(self, *, other: bool) -> None:
        if not self.tmux:
            if other:
                self.saved[self.on_other] = self.place
            self.on_other = other
            self.place = self.place if other else self.saved.get(False, "top")
        elif not other:
            self.on_other = False
            self.place = self.saved["entered"]
        elif not self.on_other:
            self.saved["entered"] = self.place
            self.on_other = True
