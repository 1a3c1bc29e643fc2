import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.documents import MAX_DOCUMENT_BYTES, decode_document, normalise_document, split_front_matter
from daemon.core.failures import DocumentError


def test_a_byte_order_mark_is_dropped_and_crlf_becomes_lf() -> None:
    assert decode_document(b"\xef\xbb\xbfone\r\ntwo\n", "a.md") == "one\ntwo\n"


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(DocumentError, match=r"^a\.md:3: The byte 0xff is not valid UTF-8\. Save the file as UTF-8\.$"):
        decode_document(b"one\ntwo\n\xff", "a.md")


@pytest.mark.parametrize("raw", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xfe\xff\x00a"])
def test_overlong_and_surrogate_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError, match="UTF-8"):
        decode_document(raw, "a.md")


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x1b", "\r", "\x0b", "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\ud800"],
)
def test_characters_a_person_cannot_see_are_refused_with_their_line(character: str) -> None:
    with pytest.raises(DocumentError, match=rf"^a\.md:2: The character U\+{ord(character):04X} "):
        normalise_document(f"one\ntwo{character} \n", "a.md")


def test_tabs_emoji_and_other_scripts_are_allowed() -> None:
    text = "\ta \U0001f469\u200d\U0001f4bb é 漢 עברית\n"
    assert normalise_document(text, "a.md") == text


def test_a_file_that_is_too_large_is_refused() -> None:
    assert decode_document(b"a" * MAX_DOCUMENT_BYTES, "a.md")
    for large in (b"a" * (MAX_DOCUMENT_BYTES + 1), b"\xff" * (MAX_DOCUMENT_BYTES + 1)):
        with pytest.raises(DocumentError, match="larger than 256 KiB"):
            decode_document(large, "a.md")
    with pytest.raises(DocumentError, match="larger than 256 KiB"):
        normalise_document("é" * (MAX_DOCUMENT_BYTES // 2 + 1), "a.md")


def test_front_matter_is_cut_from_the_body() -> None:
    assert split_front_matter("+++ \na = 1\n+++\n# Body\n+++\nmore", "a.md") == ("a = 1", "# Body\n+++\nmore")
    assert split_front_matter("+++\n+++", "a.md") == ("", "")


@pytest.mark.parametrize("text", ["", "a = 1", "\n+++\n+++\n", "---\na: 1\n---\n", " +++\n+++\n", "++++\n+++\n"])
def test_a_file_without_front_matter_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match=r"a\.md:1: The file does not begin with front matter"):
        split_front_matter(text, "a.md")


def test_front_matter_that_is_never_closed_is_refused() -> None:
    with pytest.raises(DocumentError, match="never closed"):
        split_front_matter("+++\na = 1\n ++\n", "a.md")


@given(st.binary() | st.text().map(str.encode).map(b"\xef\xbb\xbf".__add__))
def test_any_bytes_are_a_text_or_a_document_error(raw: bytes) -> None:
    try:
        text = decode_document(raw, "a.md")
    except DocumentError:
        return
    assert "\r" not in text
    assert normalise_document(text, "a.md") == text
