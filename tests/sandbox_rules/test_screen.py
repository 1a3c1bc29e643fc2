"""What of an agent's output reaches a terminal: pure, cut anywhere."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.launch.screen import Screen

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
        b"\x1bkname of a window\x1b\\",
        b"\x1b]0;title\xc2\x9c\x07",
    ],
)
def test_what_acts_on_the_desktop_does_not(hostile: bytes) -> None:
    shown = Screen().show(b"a" + hostile + b"\x1b\\b")
    assert shown.startswith(b"a")
    assert shown.endswith(b"b")
    for sign in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x9b", b"\x9d", b"\x1bc"):
        assert sign not in shown


NOTHING = {
    "printing": (b"\x1b[i", b"\x1b[4i", b"\x1b[5i", b"\x1b[?1i", b"\x1b[?4i", b"\x1b[?5i", b"\x1b[?18h", b"\x1b[?19l"),
    "the VT52 terminal": (b"\x1b[?2l", b"\x1b<", b"\x1bZ", b"\x1bF", b"\x1bG", b"\x1bI", b"\x1bY", b"\x1bW", b"\x1bV"),
    "another level of conformance": (b'\x1b[61"p', b'\x1b[65;1"p', b"\x1b F", b"\x1b G", b"\x1b L"),
    "other character sets": (
        b"\x1b(A",
        b"\x1b)<",
        b"\x1b*0",
        b"\x1b+0",
        b"\x1b-A",
        b"\x1b.A",
        b"\x1b/A",
        b"\x1b(%5",
        b"\x1b$B",
    ),
    "shifts to them": (b"\x1bn", b"\x1bo", b"\x1b|", b"\x1b}", b"\x1b~", b"\x1bN", b"\x1bO"),
    "another encoding": (b"\x1b%@", b"\x1b%G", b"\x1b%/G"),
    "a locked keyboard, an echo, line ends": (b"\x1b[2h", b"\x1b[12l", b"\x1b[20h", b"\x1b[1h"),
    "keys of another kind": (
        b"\x1b[?8l",
        b"\x1b[?67h",
        b"\x1b[?1034h",
        b"\x1b[?1035l",
        b"\x1b[?1036h",
        b"\x1b[>2n",
        b"\x1b[>1p",
    ),
    "origin and side margins": (b"\x1b[?6h", b"\x1b[?69h", b"\x1b[?3h", b"\x1b[?4h", b"\x1b[?40h"),
    "a mouse that waits, locators": (b"\x1b[?1001h", b"\x1b[1;1'z", b"\x1b[1'{", b"\x1b['|", b"\x1b[>1s"),
    "raising the window": (b"\x1b[?1042h", b"\x1b[?1043h", b"\x1b[5t", b"\x1b[>1t", b"\x1b[2 t"),
    "tab stops": (b"\x1bH", b"\x1b[g", b"\x1b[3g", b"\x1b[?5W"),
    "lights and self-tests": (b"\x1b[1q", b"\x1b[2;1y", b"\x1b[x", b"\x1b#8", b"\x1b#3", b"\x1b#6", b"\x05"),
    "rectangles": (b"\x1b[1;1;2;2$z", b"\x1b[65;1;1;9;9$x", b"\x1b[1;1;9;9;1;1;1$v", b"\x1b[1;1;9;9;7$r"),
    "saved modes": (b"\x1b[?2s", b"\x1b[?2r", b"\x1b[#p", b"\x1b[#q", b"\x1b[#{"),
    "memory of the screen": (b"\x1bl", b"\x1bm", b"\x1bc"),
    "strings": (b"\x1bPx\x1b\\", b"\x1b_x\x1b\\", b"\x1b^x\x1b\\", b"\x1bXx\x1b\\", b"\x1bkx\x1b\\", b"\x1b]x\x07"),
    "too long": (b"\x1b[" + b"1;" * 33_000 + b"m",),
}
"""What comes to nothing at all, by what it would do."""


@pytest.mark.parametrize("what", NOTHING)
def test_what_changes_how_a_person_reads_or_types_comes_to_nothing(what: str) -> None:
    for sequence in NOTHING[what]:
        assert Screen().show(b"a" + sequence + b"b") == b"ab", sequence[:40]
        for cut in range(1, min(len(sequence), 20)):
            screen = Screen()
            assert screen.show(sequence[:cut]) + screen.show(sequence[cut:]) + screen.show(b"b") == b"b", sequence[:40]


def test_of_several_modes_at_once_only_those_pass_that_may() -> None:
    assert Screen().show(b"\x1b[?2;1049;5;1001h") == b"\x1b[?1049;5h"
    assert Screen().show(b"\x1b[2;4l") == b"\x1b[4l"
    assert Screen().show(b"\x1b[?25;25;;2l") == b"\x1b[?25;25l"
    assert Screen().show(b"\x1b[?:2l\x1b[?02l\x1b[? 2l\x1b[?2$l\x1b[?2:1h") == b""


@pytest.mark.parametrize(
    "invalid",
    [
        *(bytes([byte]) for byte in range(0x80, 0xC2)),
        *(bytes([byte]) for byte in range(0xF5, 0x100)),
        *(
            b"\xc0\x9b",
            b"\xc1\x9b",
            b"\xe0\x82\x9b",
            b"\xe0\x80\x9b",
            b"\xf0\x80\x82\x9b",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
        ),
        *(b"\xc2\x9b", b"\xc2\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3"),
    ],
    ids=repr,
)
def test_no_single_byte_reaches_a_terminal_that_may_take_it_for_a_control(invalid: bytes) -> None:
    shown = Screen().show(invalid + b"[5i")
    text = shown.decode()  # whatever it was, it is text
    assert text.endswith("[5i")
    assert set(text.removesuffix("[5i")) == {"\N{REPLACEMENT CHARACTER}"}


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs"))), st.integers(0, 400))
def test_text_in_every_script_passes_wherever_it_is_cut(text: str, cut: int) -> None:
    encoded = text.encode()
    screen = Screen()
    assert screen.show(encoded[:cut]) + screen.show(encoded[cut:]) == encoded


@given(st.binary(max_size=300))
def test_what_is_shown_would_be_shown_again_and_is_text(output: bytes) -> None:
    shown = Screen().show(output)
    assert Screen().show(shown) == shown
    shown.decode()


_PARTS = st.lists(
    st.sampled_from(
        [
            *(b"\x1b", b"]", b"52;", b"0;", b"\x07", b"\\", b"[", b"m", b"t", b"P", b"\xc2", b"\x9b", b"\x18", b"x"),
            *(b"?", b"2", b";", b"h", b"l", b"i", b"(", b"0", b"k", b" ", b"\xe2\x82\xac", b"\x0e", b"$", b"p"),
        ]
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
