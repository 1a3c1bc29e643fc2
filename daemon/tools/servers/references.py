"""`vault://secrets/NAME` in the texts of a server's configuration: found, checked and replaced. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from daemon.core.scrubbing.scrub import secrets_of_header

_SEGMENT = r"[a-z0-9][a-z0-9._-]*"
# What stands behind a name ends it. Else a misspelled name would be read as a shorter one with a rest.
_REFERENCE = re.compile(rf"vault://secrets/({_SEGMENT}(?:/{_SEGMENT})*)(?![A-Za-z0-9_/%])")
_BEGINNING = "vault://"


def used(text: str) -> tuple[str, ...]:
    """Return the names of the secrets that a text refers to, in their order."""
    return tuple(_REFERENCE.findall(text))


def malformed(text: str) -> bool:
    """Say whether a text holds the beginning of a reference that is none, such as one with capitals in its name."""
    return text.casefold().count(_BEGINNING) != len(used(text))


def outside_of_query(url: str) -> bool:
    """Say whether a reference stands in a URL anywhere but in its query."""
    # Not by splitting the URL: the slashes of a reference would be taken for its own.
    before, _, behind = url.casefold().partition("?")
    return _BEGINNING in before or _BEGINNING in behind.partition("#")[2]


def put_in(text: str, values: Mapping[str, str], written: Callable[[str], str] = str) -> str:
    """Return a text with the values in place of the references; `written` gives a value the form of its place."""
    return _REFERENCE.sub(lambda found: written(values[found[1]]), text)


def in_query(value: str) -> str:
    """Return a value as it is written in the query of a URL."""
    return quote(value, safe="")


def secrets_in(values: Iterable[str], headers: Iterable[str] = ()) -> frozenset[str]:
    """Return what has to be taken out of everything that comes back: the values, and what headers made of them."""
    found = set(values)
    for header in headers:
        found.update(secrets_of_header(header))
    return frozenset(each for each in found if each.strip())
