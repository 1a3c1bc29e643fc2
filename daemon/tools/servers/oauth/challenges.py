"""Reads what a server says when it refuses a request: the header `WWW-Authenticate`. Pure."""

import re
from dataclasses import dataclass

_LONGEST = 8192
# The name of a scheme, or a parameter with its value as a word or in quotes.
_PART = re.compile(
    r'(?P<name>[A-Za-z0-9!#$%&\'*+.^_`|~-]+)(?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s,"]+)))?'
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_SCOPES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a server wants of a login."""

    error: str | None = None
    scopes: tuple[str, ...] = ()
    metadata_url: str | None = None
    """Where it says which authorization servers it believes."""

    @property
    def wants_more(self) -> bool:
        """Say whether the login is good, but has too few rights."""
        return self.error == "insufficient_scope"


def read_challenge(header: str) -> Challenge:
    """Return what the `Bearer` part of a header says; nothing of it is trusted yet."""
    said: dict[str, str] = {}
    is_bearer = False
    for part in _PART.finditer(header[:_LONGEST]):
        quoted, word = part["quoted"], part["word"]
        if quoted is None and word is None:
            is_bearer = part["name"].lower() == "bearer"
        elif is_bearer:
            value = word if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            said.setdefault(part["name"].lower(), value)
    return Challenge(
        error=said.get("error"), scopes=scopes_in(said.get("scope", "")), metadata_url=said.get("resource_metadata")
    )


def scopes_in(text: str) -> tuple[str, ...]:
    """Return the scopes of a text, each once; what cannot be one is left out."""
    found = [each for each in text.split(" ") if _SCOPE.fullmatch(each)]
    return tuple(dict.fromkeys(found))[:_MOST_SCOPES]
