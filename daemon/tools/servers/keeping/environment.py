"""What a server finds in its environment: a few named variables, and what its configuration says. Pure."""

from collections.abc import Mapping

_NAMES = frozenset({"PATH", "HOME", "LANG", "TERM", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL"})
_BEGINNING = "LC_"


def environment_of(inherited: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server; nothing of the daemon's own, and none of the person's tokens, is in it."""
    kept = {name: value for name, value in inherited.items() if name in _NAMES or name.startswith(_BEGINNING)}
    return kept | dict(said)
