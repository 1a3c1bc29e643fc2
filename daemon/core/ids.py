"""Identifiers: a short prefix and a UUIDv7, so that they sort by the time they were made."""

import re
from enum import StrEnum

ENTROPY_BYTES = 10


class IdPrefix(StrEnum):
    """The kinds of thing that carry an identifier."""

    AUDIT = "aud"
    APPROVAL = "apr"
    SESSION = "ses"
    EXECUTION = "exe"
    QUESTION = "qst"


_ID = re.compile(
    r"^(?P<prefix>[a-z]{3})_(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$"
)


def make_id(prefix: IdPrefix, *, unix_ms: int, entropy: bytes) -> str:
    """Build an identifier from a time and ten random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError("an identifier takes exactly ten random bytes")
    raw = bytearray(unix_ms.to_bytes(6, "big") + entropy)
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    text = raw.hex()
    return f"{prefix.value}_{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str, prefix: IdPrefix) -> bool:
    """Say whether a text is a well-formed identifier of the given kind."""
    match = _ID.fullmatch(text)
    return match is not None and match["prefix"] == prefix.value
