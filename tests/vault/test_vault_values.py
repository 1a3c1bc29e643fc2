"""Credentials as values: stored and read back whole, never shown, refused when no header could carry them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.vault.errors import EntryRefused
from daemon.vault.values import (
    ApiKey,
    Basic,
    OAuth2Tokens,
    SecretValue,
    check_value,
    decode_value,
    encode_value,
    header_payload,
    header_problem,
    secret_forms,
)

_TEXT = st.text(max_size=30)
_VALUES = st.one_of(
    st.builds(ApiKey, _TEXT),
    st.builds(Basic, _TEXT, _TEXT),
    st.builds(
        OAuth2Tokens,
        _TEXT,
        st.none() | _TEXT,
        st.none() | st.integers(0, 2**50),
        st.lists(_TEXT, max_size=3).map(tuple),
        _TEXT,
    ),
)


@given(_VALUES)
def test_a_value_is_read_back_as_it_was_stored(value: SecretValue) -> None:
    assert decode_value(encode_value(value)) == value


@given(st.binary(max_size=100))
def test_bytes_that_are_no_value_are_none(raw: bytes) -> None:
    assert decode_value(raw) is None


@pytest.mark.parametrize(
    "raw", [b'{"type":"api_key","key":5}', b'{"type":"api_key","kei":"x"}', b'{"type":"x"}', b'"text"', b"[]"]
)
def test_json_that_is_no_value_is_none(raw: bytes) -> None:
    assert decode_value(raw) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("key\n", "line break"),
        (" xoxb", "space"),
        ("a\r\nX-Evil: 1", "control character"),
        ("a\x00b", "control character"),
        ("a\tb", "control character"),
        ("a\x7fb", "control character"),
        ("k\u2013y", "outside ASCII"),
        ("k\u00e9y", "outside ASCII"),
        ("k\u2028y", "outside ASCII"),
    ],
)
def test_a_header_value_that_could_split_or_change_on_the_way_is_refused(text: str, says: str) -> None:
    for value in (ApiKey(text), OAuth2Tokens(text)):
        with pytest.raises(EntryRefused, match=says) as caught:
            check_value(value)
        assert not text or text not in str(caught.value)


@given(st.text(max_size=20))
def test_what_passes_as_a_header_value_is_plain_ascii_on_one_line(text: str) -> None:
    if header_problem(text) is None:
        assert all(0x20 <= ord(character) <= 0x7E for character in text)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Basic("", ""), "both empty"),
        (Basic("a:b", "c"), "':'"),
        (Basic("a", "c\n"), "password holds a line break"),
        (Basic("a\r", "c"), "user name holds a line break"),
        (OAuth2Tokens("a", refresh_token="b\n"), "refresh token"),
        (OAuth2Tokens("a", scopes=("x\ny",)), "scope"),
    ],
)
def test_a_credential_that_cannot_be_sent_is_refused(value: SecretValue, says: str) -> None:
    with pytest.raises(EntryRefused, match=says):
        check_value(value)


@pytest.mark.parametrize("value", [Basic("ü", "pässword"), Basic("sk_live_1", ""), Basic("", "token")])
def test_basic_takes_unicode_and_an_empty_half(value: Basic) -> None:
    check_value(value)
    assert header_problem("Basic " + header_payload(value)) is None


def test_basic_is_the_example_of_the_rfc() -> None:
    assert header_payload(Basic("Aladdin", "open sesame")) == "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_every_form_that_could_leak_is_named_for_scrubbing() -> None:
    assert secret_forms(ApiKey("key-1"), header="Bearer key-1") == ("Bearer key-1", "key-1")
    basic = secret_forms(Basic("user", "passw0rd"), header="Basic dXNlcjpwYXNzdzByZA==")
    assert {"passw0rd", "user:passw0rd", "dXNlcjpwYXNzdzByZA=="} <= set(basic)
    assert "sk_live_1" in secret_forms(Basic("sk_live_1", ""), header="x")
    assert {"at", "rt"} <= set(secret_forms(OAuth2Tokens("at", "rt"), header="Bearer at"))
    assert "" not in basic


@given(_VALUES)
def test_no_representation_shows_the_secret(value: SecretValue) -> None:
    shown = repr(value) + str(value)
    bare = repr(type(value)(*["" for _ in range(2 if isinstance(value, Basic) else 1)]))
    if not isinstance(value, OAuth2Tokens):
        assert shown == bare + bare
    sentinel = OAuth2Tokens("SENTINEL-a", "SENTINEL-r", 5, ("scope",))
    assert "SENTINEL" not in repr(sentinel)
