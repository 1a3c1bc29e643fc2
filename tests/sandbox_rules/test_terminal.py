"""The person's terminal is as it was when a launch ends, whatever the agent wrote and however it ended."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_rules.terminal_model import Cursor, Terminal
from world import ROOT

from daemon.cli.launch.screen import Screen
from daemon.cli.launch.sequences import CONTROLS, DESIGNATIONS, ESCAPES, MODES, RESTORING

UNCHANGED = {b"?12", b"?1007", b"?1048"}
"""Modes that pass and are not set back, for the reasons given beside them."""
LASTING = [
    *(b"\x1b[?" + mode + end for mode in MODES for end in (b"h", b"l")),
    *(b"\x1b" + each for each in DESIGNATIONS),
    *(bytes([0x1B, each]) for each in ESCAPES),
    *(bytes([each]) for each in CONTROLS),
    *(b"\x1b[4h", b"\x1b[5;10r", b"\x1b[1;7m", b"\x1b[8m", b"\x1b[5 q", b"\x1b[>1u", b"\x1b[=3;1u", b"\x1b[>4;2m"),
    *(b"\x1b]8;;https://example.com\x07", b"\x1b]8;id=1;file:///etc\x1b\\"),
    # What must not even pass:
    *(
        b"\x1b[5i",
        b"\x1b[4i",
        b"\x1b[?5i",
        b"\x1b[?2l",
        b"\x1b[2h",
        b"\x1b[12l",
        b"\x1b[20h",
        b"\x1b[?6h",
        b"\x1b[?69h",
    ),
    *(b"\x1b[?2;25l", b"\x1b[3g", b"\x1bH", b"\x1b*0", b"\x1b+0", b"\x1bn", b"\x1bo", b"\x1b~", b"\x1b[?5W"),
]


def after(*written: bytes) -> Terminal:
    screen = Screen()
    terminal = Terminal().write(b"".join(screen.show(each) for each in written)).write(RESTORING)
    terminal.modes -= UNCHANGED
    return terminal


@pytest.mark.parametrize("lasting", sorted(LASTING), ids=ascii)
def test_whatever_passes_is_set_back_at_the_end(lasting: bytes) -> None:
    assert after(lasting) == Terminal()


@given(st.lists(st.sampled_from(LASTING), max_size=30))
def test_whatever_passes_together_is_set_back_at_the_end(written: list[bytes]) -> None:
    assert after(*written) == Terminal()


@pytest.mark.parametrize("tmux", [True, False], ids=["tmux", "xterm"])
@pytest.mark.parametrize("program", ["on the usual screen", "on the other screen", "back from the other screen"])
def test_the_cursor_stays_where_the_output_ended(tmux: bool, program: str) -> None:
    # In tmux the question at the end was written over the first lines of the screen.
    cursor = Cursor(tmux)
    if program != "on the usual screen":
        cursor.write(b"\x1b[?1049h")
        cursor.place = "somewhere in a picture"
    if program == "back from the other screen":
        cursor.write(b"\x1b[?1049l")
    cursor.write(RESTORING)
    assert (cursor.place, cursor.on_other) == ("here", False)


def test_without_setting_back_it_would_not_be_as_it_was() -> None:
    # The model sees what it should see.
    for lasting in (b"\x1b(0", b"\x0e", b"\x1b[?1000h", b"\x1b[?25l", b"\x1b=", b"\x1b[2;3r", b"\x1b[>1u", b"\x1b[4h"):
        assert Terminal().write(Screen().show(lasting)) != Terminal()
    for hostile in (b"\x1b[5i", b"\x1b[?2l", b"\x1b[2h", b"\x1b[3g"):
        assert Terminal().write(hostile) != Terminal()
        assert Terminal().write(Screen().show(hostile)) == Terminal()


def test_a_sequence_that_was_cut_when_the_launch_ended_swallows_nothing() -> None:
    assert RESTORING.startswith(b"\x18")


PROGRAM = """
import os, sys, time
from daemon.cli.launch.terminal import lent_terminal
how, raw = sys.argv[1], sys.argv[2] == "raw"
with lent_terminal(raw=raw):
    os.write(1, b"begun")
    if how == "killed":
        time.sleep(600)
    if how == "failed":
        raise SystemExit("the daemon went away")
os.write(1, b"done")
"""


@pytest.mark.parametrize("raw", ["raw", "cooked"])
@pytest.mark.parametrize("how", ["ended", "failed", "killed"])
def test_the_terminal_is_given_back_however_a_launch_ends(how: str, raw: str) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    # Without keys of its own it may be that only the output is a terminal.
    given = theirs if raw == "raw" else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, raw], stdin=given, stdout=theirs, stderr=theirs, cwd=ROOT
    )
    shown = b""
    while b"begun" not in shown:
        shown += os.read(ours, 4096)
    if how == "killed":
        process.send_signal(signal.SIGKILL)
    process.wait(30)
    deadline = time.monotonic() + 30
    while RESTORING not in shown:
        assert time.monotonic() < deadline, shown
        shown += os.read(ours, 4096)
    while termios.tcgetattr(theirs)[3] != before[3]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.close(ours)
    os.close(theirs)


def test_nothing_is_written_where_no_output_is_a_terminal(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, "ended", "cooked"], stdout=file, stderr=file, cwd=ROOT, check=True
        )
    assert out.read_bytes() == b"begundone"


FULL_SCREEN = {
    "begin and end": b"\x1b[?1049h\x1b[?1049l\x1b[?47h\x1b[?47l\x1b7\x1b8",
    "the cursor": b"\x1b[?25l\x1b[?12l\x1b[?25h\x1b[34h\x1b[34l\x1b[?12;25h\x1b[?1c\x1b[?0c\x1b[2 q",
    "keys": b"\x1b[?1h\x1b=\x1b[?1l\x1b>\x1b[>1u\x1b[<u\x1b[?u\x1b[>4;1m\x1b[>4m",
    "frames": b"\x1b(0lqk\x1b(B\x1b(B\x1b)0\x0elqk\x0f",
    "bells": b"\x07\x1b[?5h\x1b[?5l\x1bg",
    "scrolling": b"\x1b[2;20r\x1b[3S\x1b[3T\x1bM\x1bD",
    "inserting": b"\x1b[4h\x1b[4l\x1b[3L\x1b[2M\x1b[5@\x1b[5P\x1b[4X\x1b[3b",
    "moving": b"\x1b[H\x1b[5;6H\x1b[3A\x1b[3B\x1b[3C\x1b[3D\x1b[5G\x1b[5d\x1b[s\x1b[u\x1b[2`",
    "erasing": b"\x1b[2J\x1b[K\x1b[3J\x1b[?1J",
    "mouse, focus, pasting": b"\x1b[?1000;1002;1006h\x1b[?1003h\x1b[?1004h\x1b[?2004h\x1b[?1007h",
    "a picture as a whole": b"\x1b[?2026h\x1b[?2026l\x1b[?2027h\x1b[?2031h\x1b[?2048h",
    "questions": b"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?996n\x1b[?2026$p\x1b[>0q\x1b[>q",
    "questions about colours": b"\x1b]10;?\x07\x1b]11;?\x1b\\\x1b]4;1;?\x07",
    "colours": b"\x1b[0;1;38;5;9m\x1b[38:2::1:2:3m\x1b[4:3m\x1b[58;5;1m\x1b[m",
}
"""What the descriptions of xterm, screen, tmux, linux and vt220 name, and what the five agents write besides."""


@pytest.mark.parametrize("what", FULL_SCREEN)
def test_full_screen_programs_keep_what_they_use(what: str) -> None:
    assert Screen().show(FULL_SCREEN[what]) == FULL_SCREEN[what]
