"""Which sequences of an agent a terminal gets to see, and what undoes them when the launch ends. Pure tables.

What is not named here does not pass. So a sequence that a terminal learns one day does not pass either.
"""

import re

CONTROLS = frozenset(b"\x07\x08\t\n\v\f\r\x0e\x0f")
"""Bell, movements, and the two shifts between character sets. Not ENQ, to which a terminal types an answer."""

ESCAPES = frozenset(b"78=>DEMg")
"""Save and restore the cursor, the two kinds of keypad, movements by a line, and the visible bell of screen and tmux.

Not: identification, full reset, tab stops, shifts to further character sets, the old VT52 terminal.
"""

DESIGNATIONS = frozenset({b"(0", b"(B", b")0", b")B"})
"""Line drawing and ASCII, as the first or the second character set: programs draw frames with them.

Not: other sets, other encodings, lines of double size, the test picture, answers in eight bits.
"""

_LINE = rb"[0-9;:]*"
CONTROL_SEQUENCES = re.compile(
    rb"(?:"
    + _LINE
    + rb"[@A-MPSTXZ`abdefmnrsu]"  # movements, erasing, colours, margins; where the cursor is
    + rb"|[?>=]?"
    + _LINE
    + rb"c"  # what kind of terminal it is
    + rb"|\?"
    + _LINE
    + rb"[JKmnu]"  # erasing, and questions about modes, keys and colours
    + rb"|[>=<]"
    + _LINE
    + rb"u"  # how keys are reported
    + rb"|>4(?:;[0-9]*)?m"  # the same, in the older way
    + rb"|>0?q"  # its version
    + rb"|\??[0-9]*\$p"  # how a mode is
    + rb"|!p"  # reset softly
    + rb"|[0-9]? q"  # the shape of the cursor
    + rb")\Z"
)
"""What may follow ESC [, but for modes.

Not: printing, tab stops, lights, windows, self-tests, levels of conformance, rectangles, pages, locators.
"""

STRINGS = re.compile(rb"(?:8;|10;\?|11;\?|4;\d+;\?|133;)[^\x1b\x07]*\Z|(?:110|111|112)\Z")
"""What may follow ESC ]: hyperlinks, what colours there are, marks of prompts."""

PLAIN_MODES = {b"4": b"l", b"34": b"h"}
"""The modes without a question mark that pass, and with what each is set back: inserting, and the cursor of screen and
tmux. Not: a locked keyboard (2), an echo of its own (12), other line ends (20)."""

MODES: dict[bytes, bytes | None] = {
    b"1": b"l",  # arrow keys as applications want them
    b"5": b"l",  # light and dark exchanged, for a visible bell
    b"7": b"h",  # wrap at the end of a line
    b"9": b"l",  # the mouse, in one of its ways
    b"12": None,  # a blinking cursor; its shape is set back
    b"25": b"h",  # the cursor is shown
    b"47": None,  # the other screen; left by 1049
    b"66": b"l",  # the keypad
    b"1000": b"l",  # the mouse
    b"1002": b"l",
    b"1003": b"l",
    b"1004": b"l",  # focus
    b"1005": b"l",  # how the mouse is reported
    b"1006": b"l",
    b"1007": None,  # the wheel on the other screen; terminals differ in what is usual
    b"1015": b"l",
    b"1016": b"l",
    b"1047": None,  # the other screen
    b"1048": None,  # saving the cursor
    b"1049": None,  # the other screen, and saving the cursor
    b"2004": b"l",  # marks around what is pasted
    b"2026": b"l",  # showing nothing until a picture is whole
    b"2027": b"l",  # how wide characters are counted
    b"2031": b"l",  # reports of light and dark
    b"2048": b"l",  # reports of the size
}
"""The modes with a question mark that pass, and with what each is set back.

Not: the VT52 terminal (2), 132 columns (3), the origin (6), repeating keys (8), printing (18, 19), Backspace (67), side
margins (69), a mouse that waits for an answer (1001), raising the window (1042, 1043), keys of the Meta kind.
"""

_NO_KEYS = b"\x1b[<999u"
_SAVE, _RESTORE = b"\x1b7", b"\x1b8"


def _modes(end: bytes) -> bytes:
    return b"\x1b[?" + b";".join(mode for mode, undone in MODES.items() if undone == end) + end


RESTORING = b"".join(
    (
        b"\x18",  # whatever was cut in the middle is over
        b"\x1b[?2026l",
        b"\x1b[?1049h",  # first in, then out: tmux that is not in moves the cursor to where an earlier program went in
        _NO_KEYS,  # each screen has its own way of reporting keys, also the other one after it was left
        b"\x1b[?1049l",
        _NO_KEYS,
        b"\x1b[>4m",
        _SAVE,
        b"\x1b[r",  # no margins; it moves the cursor
        _RESTORE,
        _modes(b"l"),
        _modes(b"h"),
        b"\x1b[4l\x1b[34h\x1b>",
        b"\x1b[0 q\x1b[?0c",
        b"\x1b]8;;\x1b\\",  # no link goes on
        b"\x0f\x1b(B\x1b)B",
        b"\x1b[0m",
    )
)
"""Sets back whatever passes, wherever a launch ends."""
