"""What of an agent's output reaches a terminal: pure, cut anywhere."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.launching.screen import Screen

ESC = b"\x1b"


@pytest.mark.parametrize(
    "harmless",
    [
        b"plain text\r\n",
        "Grüße, 你好 \N{ROCKET}".encode(),
        b"\x1b[1;31mred\x1b[0m",
        b"\x1b[2J\x1b[H\x1b[?1049h\x1b[?25l",
        b"\x1b[38;2;1;2;3m\x1b[10;20H",
        b"\x1b(B\x1b)0\x1b7\x1b8\x1bM\x1b=",
        b"\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\",
        b"\x1b]11;?\x07",
        b"\x1b[?2004h\x1b[?1006h",
        b"\t\x08\x07",
    ],
)
def test_colours_cursor_and_screens_pass(harmless: bytes) -> None:
    assert Screen().show(harmless) == harmless


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x1b]0;title\x07",
        b"\x1b]2;title\x1b\\",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1b]52;c;?\x07",
        b"\x1b]9;notification\x07",
        b"\x1b]777;notify;a;b\x07",
        b"\x1b]1337;File=inline=1:AAAA\x07",
        b"\x1b]7;file:///etc\x07",
        b"\x1b]50;font\x07",
        b"\x1bP$qm\x1b\\",
        b"\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\",
        b"\x1b_Gq=2;AAAA\x1b\\",
        b"\x1b^private\x1b\\",
        b"\x1bXstart of string\x1b\\",
        b"\x1b[21t",
        b"\x1b[8;10;10t",
        b"\x1bc",
        b"\xc2\x9d52;c;eA==\xc2\x9c",
        b"\xc2\x9b21t",
    ],
)
def test_what_acts_on_the_desktop_does_not(hostile: bytes) -> None:
    shown = Screen().show(b"a" + hostile + b"\x1b\\b")
    assert shown.startswith(b"a")
    assert shown.endswith(b"b")
    for sign in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x9b", b"\x9d", b"\x1bc"):
        assert sign not in shown


_PARTS = st.lists(
    st.sampled_from(
        [b"\x1b", b"]", b"52;", b"0;", b"\x07", b"\\", b"[", b"m", b"t", b"P", b"\xc2", b"\x9b", b"\x18", b"x"]
    )
    | st.binary(max_size=4),
    max_size=60,
).map(b"".join)


@given(_PARTS, st.lists(st.integers(0, 200), max_size=6))
def test_it_does_not_matter_where_the_output_is_cut(output: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(output), *(cut for cut in cuts if cut < len(output))})
    screen = Screen()
    pieces = b"".join(screen.show(output[a:b]) for a, b in itertools.pairwise(places))
    assert pieces == Screen().show(output)


@given(_PARTS)
def test_no_sequence_for_title_or_clipboard_ever_comes_out(output: bytes) -> None:
    shown = Screen().show(output)
    for number in (b"0", b"1", b"2", b"7", b"9", b"50", b"52", b"777", b"1337"):
        assert b"\x1b]" + number + b";" not in shown
    assert b"\x1bP" not in shown
    assert b"\x1b_" not in shown


def test_a_sequence_without_end_holds_nothing_up_for_ever() -> None:
    screen = Screen()
    screen.show(b"\x1b]52;c;" + b"A" * 10_000_000)
    assert len(screen._held) < 100_000
    assert screen.show(b"\x07after") == b"after"
