"""Names for servers and secrets that nothing else has. Pure."""

import re
from collections.abc import Callable, Collection

_LONGEST = 40


def server_name(said: str, is_free: Callable[[str], bool]) -> str:
    """Return the name that a server gets here: as near to what the agent calls it as the rules allow."""
    plain = re.sub(r"[^a-z0-9]+", "-", said.casefold()).strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"server-{plain}".rstrip("-")
    return _numbered(plain[: _LONGEST - 5].rstrip("-"), is_free)


def free_name(wanted: str, taken: Collection[str], *, is_same: Callable[[str], bool]) -> str:
    """Return a name, with a number behind it if it is taken by something that is not the same."""
    return _numbered(wanted, lambda name: name not in taken or is_same(name))


def _numbered(name: str, is_free: Callable[[str], bool]) -> str:
    candidate, number = name, 2
    while not is_free(candidate):
        candidate, number = f"{name}-{number}", number + 1
    return candidate
