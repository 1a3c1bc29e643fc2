"""URLs with placeholders: each value is encoded for its place, so that the written parts arrive as they were written.

The scheme and the host are always written, never filled in: where a call goes is decided by the file. In the path a
value is one piece of one segment: what would end the segment (`/`, `?`, `#`) is encoded, and what would make it climb
(`.`, `..`) or vanish (nothing at all) is refused, because no encoding of these is safe. In the query and behind it a
value is encoded whole.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

from daemon.core.references import Parts, Reference, TemplateError, UnfitError

_SCHEME = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//|\s*https?:/?", re.IGNORECASE)
_SPACE = re.compile(r"\s")
_WHOLE = re.compile(r"https?://[^\s/?#@\\\x00-\x20\x7f]+(?:[/?#][^\s\\\x00-\x20\x7f]*)?", re.IGNORECASE)

Fill = Callable[[Reference], str | None]
"""Returns the text of a placeholder, or None while it is not known."""


def looks_like_url(parts: Parts) -> bool:
    """Say whether a text with placeholders is a URL or an absolute path: it begins like one and holds no space."""
    literals = "".join(part for part in parts if isinstance(part, str)).strip()
    if _SPACE.search(literals):
        return False
    first = parts[0]
    if isinstance(first, Reference):
        # What follows says that the placeholder stands for a scheme.
        return isinstance(parts[1], str) and parts[1].startswith("://")
    return first.lstrip().startswith("/") or _SCHEME.match(first) is not None


def check_url(parts: Parts) -> None:
    """Refuse a URL in which a placeholder could change where the call goes."""
    if isinstance(parts[0], Reference):
        raise TemplateError(
            'Begin it with the host, like "https://api.example.com/items/${args.id}".',
            problem="is a URL whose beginning is filled in, so that an argument could choose the host",
        )
    place = _Place()
    for part in parts:
        if isinstance(part, str):
            place.pass_literal(part)
        elif place.in_host:
            raise TemplateError(
                'Write the host and a / behind it, like "https://api.example.com/items/${args.id}".',
                problem=f"holds {part} in the host of a URL, so that an argument could choose where the call goes",
            )


def fill_url(parts: Parts, fill: Fill) -> Iterator[str | Reference]:
    """Fill a URL in, each value encoded for its place; what is not known yet stays a placeholder.

    Raises UnfitError for a value that no encoding keeps in its place.
    """
    place = _Place()
    for part in parts:
        if isinstance(part, str):
            place.pass_literal(part)
            yield part
            continue
        value = fill(part)
        place.pass_value(part, value)
        yield part if value is None else _encode(part, value)
    place.end()


def is_whole_url(text: str) -> bool:
    """Say whether a text is an absolute http(s) URL without a user name, spaces or backslashes."""
    return _WHOLE.fullmatch(text) is not None


def _encode(reference: Reference, value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise UnfitError(reference, "is not valid Unicode text") from None


class _Place:
    """Follows a URL from left to right; knows where the next placeholder stands, and what its path segment holds."""

    def __init__(self) -> None:
        self.in_host = False
        self._in_path = True
        self._begun = False
        self._segment = ""
        self._filled: Reference | None = None
        self._known = True

    def pass_literal(self, text: str) -> None:
        """Go on past text that is written in the file."""
        if not self._begun:
            self._begun = True
            scheme = _SCHEME.match(text)
            if scheme is not None:
                self.in_host, text = True, text[scheme.end() :]
        if self.in_host:
            end = re.search(r"[/?#\\]", text)
            if end is None:
                return
            self.in_host, text = False, text[end.start() :]
        if not self._in_path:
            return
        path, stop, _ = _partition(text)
        first, *others = path.split("/")
        self._segment += unquote(first)
        for segment in others:
            self.end()
            self._segment = unquote(segment)
        if stop:
            self.end()
            self._in_path = False

    def pass_value(self, reference: Reference, value: str | None) -> None:
        """Go on past the value of a placeholder."""
        if self._in_path:
            self._filled = reference
            self._known = self._known and value is not None
            self._segment += value or ""

    def end(self) -> None:
        """End a path segment: refuse one that a value turned into nothing or into a step up."""
        reference, segment, known = self._filled, self._segment, self._known
        self._filled, self._segment, self._known = None, "", True
        if reference is None or not known:
            return
        if segment == "":
            raise UnfitError(reference, "is empty, which would leave a part of the URL's path out")
        # Some services decode %2F, %5C and %3B, or drop blanks, before they look for steps.
        if any(piece.strip("\0\t\n\r ") in {".", ".."} for piece in re.split(r"[/\\;]", segment)):
            raise UnfitError(reference, "would step to another place in the URL's path ('.' or '..')")


def _partition(text: str) -> tuple[str, str, str]:
    found = re.search(r"[?#]", text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])
