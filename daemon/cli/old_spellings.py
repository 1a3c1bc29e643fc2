"""Commands that had another name in the version before: they are understood for one version, with a line that says so.

The words are exchanged before they are parsed. So no help text and no list has an old spelling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

OLD_SPELLINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("agent", "register"): ("agent", "add"),
    ("agent", "unregister"): ("agent", "remove"),
    ("agent", "status"): ("agent", "list"),
    ("secret", "set"): ("secret", "add"),
    ("secret", "rm"): ("secret", "remove"),
    ("binding", "setup"): ("binding", "add"),
    ("binding", "inspect"): ("binding", "show"),
    ("binding", "rebind"): ("binding", "use"),
    ("binding", "revoke"): ("binding", "remove"),
    ("connector", "install"): ("connector", "add"),
    ("keyring", "trust"): ("keyring", "add"),
    ("keyring", "revoke"): ("keyring", "remove"),
    ("action", "new"): ("action", "add"),
    ("sessions", "list"): ("session", "list"),
    ("sessions", "get"): ("session", "show"),
    ("sessions",): ("session",),
    ("--install-completion",): ("completion", "--install"),
    ("--show-completion",): ("completion",),
}


@dataclass(frozen=True, slots=True)
class Renewed:
    """A command line in the spelling of today, and what to tell whoever wrote the old one."""

    arguments: tuple[str, ...]
    note: str | None = None


def renew(arguments: Sequence[str]) -> Renewed:
    """Return the command line in the spelling of today."""
    words = tuple(arguments)
    # Options of `aileron` itself stand in front of the command, and none of them takes a value.
    commands = (at for at, word in enumerate(words) if (word,) in OLD_SPELLINGS or not word.startswith("-"))
    first = next(commands, len(words))
    if words[first : first + 1] == ("help",):
        first += 1
    for length in (2, 1):
        old = words[first : first + length]
        if (new := OLD_SPELLINGS.get(old)) is not None:
            rest = words[first + length :]
            said = f"`aileron {' '.join(old)}` is now `aileron {' '.join(new)}`"
            return Renewed((*words[:first], *new, *rest), f"{said}; the old spelling goes with the next version.")
    return Renewed(words)
