"""Carries paths through JSON and command lines, also those that are not UTF-8, so that a person can name any."""

from urllib.parse import quote_from_bytes, unquote_to_bytes

_MARK = "bytes:"


def to_wire(path: str) -> str:
    """Return a path as text that is UTF-8: the path itself, or its bytes written with % behind `bytes:`."""
    if path.startswith(_MARK) or any("\ud800" <= each <= "\udfff" for each in path):
        return bytes_on_wire(path)
    return path


def bytes_on_wire(path: str) -> str:
    """Return a path by its bytes, also one that is UTF-8: for one full of controls that is the shorter form."""
    return _MARK + quote_from_bytes(path.encode("utf-8", "surrogateescape"), safe="/ ")


def from_wire(text: str) -> str:
    """Return the path that `to_wire` was given."""
    if text.startswith(_MARK):
        return unquote_to_bytes(text.removeprefix(_MARK)).decode("utf-8", "surrogateescape")
    return text
