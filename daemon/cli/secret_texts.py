"""How a server's secret is called in the vault, and what of its text is the secret. Pure."""

import re

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


def secret_name(server: str, key: str) -> str:
    """Return the name of a server's secret, made from the key that it stands under."""
    return f"{server}/{_NOT_IN_NAMES.sub('-', key.casefold()).strip('._-') or 'value'}"


def scheme_of(value: str) -> str:
    """Return what stands before the secret in a header, such as `Bearer `; it stays in the file."""
    before, space, rest = value.partition(" ")
    return f"{before} " if space and before.casefold() in {"bearer", "token"} and rest.strip() else ""
