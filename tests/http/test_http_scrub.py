"""Scrubbing: no written form of a secret comes through, and nothing else is touched."""

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.scrubbing.scrub import MARK, Scrubber, secrets_of_header

SECRET = 'pa/ss+w"o&rd<=>\\x y~ü'

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 url": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "url": lambda s: quote(s, safe=""),
    "url with slashes": quote,
    "url lower case": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "url component": lambda s: quote(s, safe="!~*'()"),
    "form": quote_plus,
    "all percent": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "json": lambda s: json.dumps(s)[1:-1],
    "json unicode": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json with slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "json in json": lambda s: json.dumps(json.dumps(s))[1:-1],
    "json all": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "json html safe": lambda s: json.dumps(s)[1:-1].replace("<", "\\u003C").replace("&", "\\u0026"),
    "html": html.escape,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [SECRET, "sk-live-9f8e7d6c5b4a", "hunter2hunter2", "p%20x%y", "aaaa", "a\\\\b\\c-1"])
def test_a_secret_in_any_written_form_is_taken_out(form: str, secret: str) -> None:
    written = FORMS[form](secret)
    clean = Scrubber([secret]).scrub(f'{{"a":"{written}","b":1}}')
    assert written not in clean
    assert clean.startswith('{"a":"')
    assert clean.endswith('","b":1}')
    assert MARK in clean


@given(st.binary(max_size=20), st.text(min_size=4, max_size=40), st.binary(max_size=20))
def test_no_form_survives_in_any_surroundings(before: bytes, secret: str, after: bytes) -> None:
    raw = secret.encode()
    scrubber = Scrubber([secret])
    for written in (
        raw,
        raw.hex().encode(),
        raw.hex().upper().encode(),
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
    ):
        clean = scrubber.scrub_bytes(before + written + after)
        assert raw not in clean
        assert written not in clean
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            clean = scrubber.scrub_bytes(encode(b"-" * shift + raw + after))
            padded = clean + b"=" * (-len(clean) % 4)
            if len(raw) >= 5:
                assert raw not in padded
                core = encode(b"\0" * shift + raw)[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
                assert core not in clean


@given(
    st.lists(st.text(alphabet="ab[]redact*", min_size=4, max_size=8), min_size=1, max_size=3),
    st.text(alphabet="ab[]redact*", max_size=60),
)
def test_removals_do_not_join_into_a_secret_again(secrets: list[str], text: str) -> None:
    clean = Scrubber(secrets).scrub(text)
    assert not any(secret in clean for secret in secrets)


@given(st.text())
def test_a_text_without_the_secret_comes_back_as_it_was(text: str) -> None:
    assert Scrubber(["Zq8!f2-Lm0_x9"]).scrub(text) == text
    assert Scrubber([]).scrub(text) == text


def test_several_secrets_are_taken_out_the_longer_first() -> None:
    assert Scrubber(["abcd", "abcdefgh"]).scrub("1 abcdefgh 2 abcd 3") == f"1 {MARK} 2 {MARK} 3"


def test_a_secret_of_under_four_bytes_goes_only_where_it_stands_alone() -> None:
    scrubber = Scrubber(["ab1"])
    assert scrubber.scrub('{"k":"ab1","w":"cab1e"}') == f'{{"k":"{MARK}","w":"cab1e"}}'


def test_headers_are_scrubbed_in_name_and_value() -> None:
    headers = [("x-hunter22", "a"), ("set-cookie", "k=hunter22; path=/"), ("date", "now")]
    assert Scrubber(["hunter22"]).scrub_headers(headers) == [
        (f"x-{MARK}", "a"), ("set-cookie", f"k={MARK}; path=/"), ("date", "now")
    ]  # fmt: skip


def test_binary_data_keeps_every_other_byte() -> None:
    noise = bytes(range(256))
    assert Scrubber(["hunter22"]).scrub_bytes(noise + b"hunter22" + noise) == noise + MARK.encode() + noise


def test_a_header_value_gives_its_payload_and_its_basic_parts_but_not_the_user_name() -> None:
    pair = base64.b64encode(b"admin:s3cret:x").decode()
    assert set(secrets_of_header(f"Basic {pair}")) == {f"Basic {pair}", pair, "admin:s3cret:x", "s3cret:x"}
    assert set(secrets_of_header("Bearer abc.def")) == {"Bearer abc.def", "abc.def"}
    assert secrets_of_header("plainkey") == ("plainkey",)


def test_a_body_of_a_mebibyte_is_scrubbed_fast() -> None:
    scrubber = Scrubber(["sk-live-9f8e7d6c5b4a3921", SECRET])
    body = (json.dumps({"id": 12345, "text": "sk-life and other \\ words"}) + "\n").encode() * 24_000
    body = body[: 1 << 20]
    started = time.perf_counter()
    assert scrubber.scrub_bytes(body) is body
    assert time.perf_counter() - started < 20  # about 10 ms; a search that runs away takes minutes


@pytest.mark.parametrize(
    "run", ["\\", "%", "%25", " ", "\n ", "&", "&#0", "\\u", "%5c", "\0", "0x", "A", "a\\", "=", "\\\\u005c"]
)
def test_no_long_run_of_anything_slows_the_search(run: str) -> None:
    scrubber = Scrubber(["a\\\\\\\\b\\\\c", "\\begins-with-one", "sk-live-9f8e7d6c5b4a"])
    started = time.process_time()
    scrubber.scrub("\n a" + run * 100_000)
    assert time.process_time() - started < 10  # about 0.1 s; a search that runs away takes hours
