"""Writes JSON without spaces, by an encoder that is made once and not for every value."""

import json
import json.encoder
from collections.abc import Callable
from typing import Any

_MADE_ONCE = getattr(json.encoder, "c_make_encoder", None)
"""What the standard library makes for each text; not every Python has it."""


def json_writer(*, ascii_only: bool, sort_keys: bool = False) -> Callable[[Any], str]:
    """Return a function that writes a value; it raises ValueError for what JSON cannot hold, such as an infinity.

    It writes what `json.dumps` writes, and raises RecursionError for a value that holds itself.
    """
    encoder = json.JSONEncoder(
        ensure_ascii=ascii_only, allow_nan=False, sort_keys=sort_keys, separators=(",", ":"), check_circular=False
    )
    if _MADE_ONCE is None:
        return encoder.encode
    text = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    chunks = _MADE_ONCE(None, encoder.default, text, None, ":", ",", sort_keys, False, False)
    return lambda value: "".join(chunks(value, 0))
