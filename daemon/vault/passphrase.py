"""What counts as a passphrase, and which bytes it stands for."""

import unicodedata

from daemon.vault.errors import PassphraseRejected

LEAST_CHARACTERS = 8
MOST_CHARACTERS = 1024


def passphrase_bytes(passphrase: str) -> bytes:
    """Return the bytes a passphrase stands for.

    NFKC, so that the same words typed on another system (composed, decomposed, in full width) open the vault.
    """
    return unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")


def check_new_passphrase(passphrase: str) -> None:
    """Refuse a new passphrase that is too short to protect anything or that cannot be typed again."""
    normal = unicodedata.normalize("NFKC", passphrase)
    if not normal:
        raise PassphraseRejected("The passphrase is empty; choose one of at least 8 characters.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in normal):
        raise PassphraseRejected(
            "The passphrase holds a control character, such as a line break or a tab, which cannot be typed at a "
            "prompt; take it out. (From a file, only the first line without its line break is meant.)"
        )
    if not normal.strip():
        raise PassphraseRejected("The passphrase is only spaces; choose one of at least 8 characters.")
    if len(normal) < LEAST_CHARACTERS:
        raise PassphraseRejected(
            f"The passphrase has {len(normal)} characters; the least is {LEAST_CHARACTERS}. "
            "Four or five unrelated words are long enough and easy to remember."
        )
    if len(normal) > MOST_CHARACTERS:
        raise PassphraseRejected(
            f"The passphrase has {len(normal)} characters; the most is {MOST_CHARACTERS}. Is it the right file?"
        )


def wrong_passphrase_message(passphrase: str) -> str:
    """Say that a passphrase does not open the vault, with the likeliest reason that its form gives away."""
    message = "The passphrase is not right; nothing was changed."
    if not passphrase:
        return message + " It is empty."
    if passphrase != passphrase.strip():
        return message + " It begins or ends with a space or a line break, which counts as part of it."
    return message + " Mind Caps Lock and the keyboard layout. A forgotten passphrase cannot be recovered."
