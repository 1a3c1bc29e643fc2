"""Which passphrases are taken, and that the same words are the same passphrase on every system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.vault.errors import PassphraseRejected
from daemon.vault.passphrase import check_new_passphrase, passphrase_bytes, wrong_passphrase_message


@pytest.mark.parametrize(
    ("passphrase", "says"),
    [
        ("", "empty"),
        ("        ", "only spaces"),
        ("seven77", "7 characters; the least is 8"),
        ("two lines\nof text", "control character"),
        ("correct horse\n", "line break"),
        ("a tab\tinside", "control character"),
        ("nul\x00inside it", "control character"),
        ("lone \ud800 surrogate", "control character"),
        ("x" * 1025, "the most is 1024"),
    ],
)
def test_a_bad_new_passphrase_is_refused_and_told_why(passphrase: str, says: str) -> None:
    with pytest.raises(PassphraseRejected, match=says) as caught:
        check_new_passphrase(passphrase)
    assert passphrase.strip() == "" or passphrase not in str(caught.value)


@pytest.mark.parametrize(
    "passphrase", ["12345678", "пароль-пароль", "日本語の長い合言葉", " spaces count ", "x" * 1024]
)
def test_a_usable_passphrase_is_taken(passphrase: str) -> None:
    check_new_passphrase(passphrase)


def test_composed_decomposed_and_full_width_forms_are_one_passphrase() -> None:
    assert passphrase_bytes("caf\u00e9 noir") == passphrase_bytes("cafe\u0301 noir")
    assert passphrase_bytes("\uff50\uff41\uff53\uff53") == passphrase_bytes("pass")
    assert passphrase_bytes("Pass") != passphrase_bytes("pass")


@given(st.text(st.characters()))
def test_any_text_has_bytes_and_a_message_that_does_not_repeat_it(passphrase: str) -> None:
    passphrase_bytes(passphrase)
    assert wrong_passphrase_message("sentinel" + passphrase).count("sentinel") == 0


def test_the_message_names_a_stray_line_break() -> None:
    assert "line break" in wrong_passphrase_message("correct horse battery\n")
    assert "Caps Lock" in wrong_passphrase_message("correct horse battery")
