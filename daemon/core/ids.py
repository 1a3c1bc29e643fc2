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


_VARIANT = {f"{digit:x}": f"{8 | digit & 3:x}" for digit in range(16)}
_ID = re.compile(
    r"^(?P<prefix>[a-z]{3})_(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$"
)


def make_id(prefix: IdPrefix, *, unix_ms: int, entropy: bytes) -> str:
    """Build an identifier from a time and ten random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError("an identifier takes exactly ten random bytes")
    time, random = unix_ms.to_bytes(6, "big").hex(), entropy.hex()
    # In place of one digit of the random ones stands the version, 7, and two bits of another one are the variant.
    return f"{prefix}_{time[:8]}-{time[8:]}-7{random[1:4]}-{_VARIANT[random[4]]}{random[5:8]}-{random[8:]}"


def is_id(text: str, prefix: IdPrefix) -> bool:
    """Say whether a text is a well-formed identifier of the given kind."""
    match = _ID.fullmatch(text)
    return match is not None and match["prefix"] == prefix.value
