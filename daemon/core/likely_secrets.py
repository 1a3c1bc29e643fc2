"""Tells which values of a configuration are probably secrets, by their names and by what they look like. Pure."""

import math
import re
from collections import Counter
from enum import StrEnum

_NAMED = re.compile(
    r"(?:^|[_-])(?:token|secret|password|passwd|pass|pwd|pat|credentials?|auth|authorization|cookie|api[_-]?key|apikey"
    r"|(?:access|private|secret|service|signing|encryption)[_-]?key|key|dsn)(?:$|[_-](?!id$|name$|file$|path$|url$))",
    re.IGNORECASE,
)
_KNOWN_FORMS = re.compile(
    r"(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[abposr]-|AKIA|ASIA|AIza|ya29\.|hf_|npm_|pypi-|dop_v1_|shpat_|lin_api_"
    r"|ntn_|secret_|eyJ[A-Za-z0-9_-]{8,}\.)[A-Za-z0-9_.=-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_BITS = 3.6
"""Random letters and digits have about four to five bits each, and words, paths and names fewer."""


class Why(StrEnum):
    """What makes a value look like a secret."""

    NAME = "its name says so"
    FORM = "it has the form of a known kind of token"
    IN_URL = "it is a URL with a password"
    RANDOM = "it looks random"
    """This one may be wrong: an identifier looks the same."""


def looks_secret(name: str, value: str) -> bool:
    """Say whether a value is probably a secret; an empty one, and a reference to the vault, is none."""
    return why_secret(name, value) is not None


def why_secret(name: str, value: str) -> Why | None:
    """Return why a value is probably a secret; None if it does not look like one."""
    if not value.strip() or "vault://" in value.casefold():
        return None
    if value.strip().casefold() in {"true", "false", "0", "1", "yes", "no", "none"}:
        return None
    if _KNOWN_FORMS.search(value):
        return Why.FORM
    if _IN_URL.search(value):
        return Why.IN_URL
    if _NAMED.search(_words(name)):
        return Why.NAME
    return Why.RANDOM if any(_is_random(run) for run in _RUN.findall(value)) else None


def _words(name: str) -> str:
    """Return a name with its words apart, so that `apiKey` is read like `api_key`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)


def _is_random(text: str) -> bool:
    has_both = any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text)
    if not has_both or "/" in text:
        return False
    counts = Counter(text)
    bits = -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
    return bits >= _BITS
