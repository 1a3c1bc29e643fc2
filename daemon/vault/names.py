"""The rules for the names and kinds of entries."""

import re

from daemon.vault.errors import EntryRefused

SECRET = "secret"  # noqa: S105  the kind of a plain secret, not one
BINDING_KINDS = ("oauth2", "api_key", "basic")
LOGIN = "login"
"""What belongs to a login at a remote server: tokens, and clients that were registered."""
KINDS = (*BINDING_KINDS, SECRET, LOGIN)
MOST_NAME_CHARACTERS = 200

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")


def check_segment(text: str, *, what: str) -> None:
    """Refuse a part of a name, such as an identity, that breaks the rule for one segment."""
    if not text:
        raise EntryRefused(f"The {what} is empty; write something like 'default' or 'work'.")
    if _SEGMENT.match(text) is None:
        raise EntryRefused(
            f"The {what} {text[:80]!r} cannot be used: it begins with a lower-case letter or a digit and goes on with "
            "those, '.', '_' or '-'."
        )


def check_name(name: str, *, kind: str) -> None:
    """Refuse a name that breaks the rules of its kind."""
    if kind not in KINDS:
        raise EntryRefused(f"There is no kind {kind[:80]!r}; the kinds are {', '.join(KINDS)}.")
    if len(name) > MOST_NAME_CHARACTERS:
        raise EntryRefused(f"The name has {len(name)} characters; the most is {MOST_NAME_CHARACTERS}.")
    segments = name.split("/")
    for segment in segments:
        check_segment(segment, what="name" if len(segments) == 1 else f"part of the name {name!r}")
    if kind == SECRET and len(segments) > 1 and segments[0] in BINDING_KINDS:
        raise EntryRefused(f"The name {name!r} begins like a binding; choose another, or use: aileron binding add")
    if kind == LOGIN and (len(segments) != 3 or segments[0] != LOGIN):
        raise EntryRefused(f"A login is named {LOGIN}/<what>/<hash>, not {name!r}.")
    if kind in BINDING_KINDS and (len(segments) != 3 or segments[0] != kind):
        raise EntryRefused(f"A binding is named {kind}/<service>/<identity>, not {name!r}.")
