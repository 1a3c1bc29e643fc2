"""How a server's secret is called in the vault, and what of its text is the secret. Pure."""

import re

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")

_VALUE_FOLLOWS = re.compile(r"[\s=:]")


def secret_name(server: str, key: str) -> str:
    """Return the name of a server's secret, made from the key that it stands under."""
    return f"{server}/{_NOT_IN_NAMES.sub('-', key.casefold()).strip('._-') or 'value'}"


def is_free_of_a_value(name: str) -> bool:
    """Say whether what was given as a name is one, and not a name with its value, such as NAME=VALUE."""
    return _VALUE_FOLLOWS.search(name) is None


def scheme_of(value: str) -> str:
    """Return what stands before the secret in a header, such as `Bearer `; it stays in the file."""
    before, space, rest = value.partition(" ")
    return f"{before} " if space and before.casefold() in {"bearer", "token"} and rest.strip() else ""
