"""Takes a secret out of what comes back from a service, however it is written there: pure.

Claimed: every single and every double application of base64, hex, percent-encoding, JSON and HTML escapes and UTF-16,
of a whole secret or of some of its letters. docs/security.md names what is not claimed.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence

from daemon.core.scrubbing.runs import from_base64, from_hex
from daemon.core.scrubbing.spelling import Spelling
from daemon.core.scrubbing.views import ANY_ESCAPE, EACH_ESCAPE, View, narrowed, unescaped

MARK = "[redacted]"
_MARKS = (MARK.encode(), b"[removed]", b"[***]", b"(redacted)", b"(***)", b"{***}", b"<***>", b"~~~~", b"!!!!")

# A shorter secret is removed only where it stands alone as a word, and its encoded forms are not looked for: they have
# two or three letters and stand in much unrelated text. Bindings refuse such secrets at setup where they can.
_SHORT = 4
_MOST_ROUNDS = 8
_REMEMBERED = 512
_REMEMBERED_LENGTH = 256
_NUMBER = re.compile(rb"[0-9eE.+-]+")
_SCHEME = re.compile(rb"[A-Za-z][0-9A-Za-z-]* ")


class Scrubber:
    """Removes a fixed set of secrets from text, bytes and header lists.

    `shortest` is the length of the shortest run of base64 or hex that is looked into, in bytes of what it holds; it
    follows from the secrets, and a smaller one finds nothing more. `like` is a scrubber that knows some of the secrets
    already: what it has worked out for them is taken over.
    """

    def __init__(self, secrets: Iterable[str], *, shortest: int | None = None, like: "Scrubber | None" = None) -> None:
        raw = {secret.encode("utf-8", "surrogatepass") for secret in secrets if secret}
        long = _without_schemes([secret for secret in raw if len(secret) >= _SHORT])
        known = {spelling.secret: spelling for spelling in (() if like is None else like.spellings)}
        ordered = sorted(long, key=len, reverse=True)
        self.spellings: tuple[Spelling, ...] = tuple(known.get(secret) or Spelling(secret) for secret in ordered)
        self._least = min(map(len, long), default=1)
        """No claimed form of a secret is shorter than the secret, so a shorter text holds none."""
        self._shortest = self._least if shortest is None else shortest
        looks_escaped = any(ANY_ESCAPE.search(secret) for secret in long)
        self._escapes = EACH_ESCAPE if looks_escaped else (ANY_ESCAPE,)
        words = sorted((secret for secret in raw if len(secret) < _SHORT), key=len, reverse=True)
        self._words = (
            re.compile(rb"(?<![0-9A-Za-z])(?:" + b"|".join(map(re.escape, words)) + rb")(?![0-9A-Za-z])")
            if words
            else None
        )
        self.may_be_number = any(_NUMBER.fullmatch(secret) for secret in raw)
        """Whether one of the secrets could be written as a number of JSON, outside of any text."""
        self._mark: bytes | None = None
        self._clean: set[str] = set()

    def scrub_bytes(self, data: bytes) -> bytes:
        """Return the data without the secrets; the very same object when there was none."""
        if self._words is not None:
            data = self._words.sub(MARK.encode(), data)
        for _ in range(_MOST_ROUNDS):
            spans = self.find(data)
            if not spans:
                return data
            data = _cut(data, spans, self._chosen_mark())
        # Every removal has joined what stood around it into another secret: this text was made to get one through.
        return b""

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets stand in the data, in whatever form, in order and without overlap."""
        if not self.spellings or len(data) < self._least:
            return []
        root = View(data)
        spans = self._search(root, escaped=True)
        for view in self._inside(root, escapes=True):
            spans += self._search(view, escaped=True)
            for inner in self._inside(view, escapes=False):
                spans += self._search(inner, escaped=False)
        return _merged(spans)

    def _inside(self, view: View, *, escapes: bool) -> Iterator[View]:
        if escapes:  # one layer of escapes is undone here; the search itself understands a second one
            yield from unescaped(view, self._escapes)
        yield from narrowed(view)
        yield from from_base64(view, shortest=self._shortest)
        yield from from_hex(view, shortest=self._shortest)

    def _search(self, view: View, *, escaped: bool) -> list[tuple[int, int]]:
        data = view.data
        found: list[tuple[int, int]] = []
        for spelling in self.spellings:
            found.extend(spelling.find(data))
            if escaped:
                found.extend(spelling.find_escaped(data))
        return [view.origin(start, end) for start, end in found]

    def _chosen_mark(self) -> bytes:
        """Return a mark that is no secret, holds none, and cannot become part of one with its neighbours."""
        if self._mark is None:
            every = b"".join(spelling.secret for spelling in self.spellings)
            fit = (mark for mark in _MARKS if not (mark[:1] in every or mark[-1:] in every or self.find(mark)))
            self._mark = next(fit, b"")
        return self._mark

    def scrub(self, text: str) -> str:
        """Return the text without the secrets; the very same object when there was none."""
        if text in self._clean or (not self.spellings and self._words is None):
            return text
        data = text.encode("utf-8", "surrogatepass")
        clean = self.scrub_bytes(data)
        if clean is not data:
            return clean.decode("utf-8", "replace")
        if len(text) <= _REMEMBERED_LENGTH:
            # Headers and paths come again with every call. Only texts without a secret are kept.
            if len(self._clean) >= _REMEMBERED:
                self._clean.clear()
            self._clean.add(text)
        return text

    def scrub_headers(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers without the secrets, names and values alike."""
        return [(self.scrub(name), self.scrub(value)) for name, value in headers]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _cut(data: bytes, spans: list[tuple[int, int]], mark: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end in spans:
        pieces += (data[at:start], mark)
        at = end
    pieces.append(data[at:])
    return b"".join(pieces)


def _without_schemes(secrets: list[bytes]) -> list[bytes]:
    """Leave out "Bearer x" where x is there by itself: whatever form it is written in, x's form is inside."""
    alone = set(secrets)
    return [secret for secret in secrets if not (_SCHEME.match(secret) and secret.partition(b" ")[2] in alone)]


def secrets_of_header(value: str) -> tuple[str, ...]:
    """Return what must be scrubbed because it stands in a header value: all of it, its payload, basic parts."""
    found = [value]
    _scheme, space, payload = value.partition(" ")
    if space:
        payload = payload.strip()
        found.append(payload)
        try:
            pair = base64.b64decode(payload, validate=True).decode()
        except (ValueError, UnicodeDecodeError):
            return tuple(found)
        # The user name alone stays readable: it is often a common word, and it is not the secret.
        _user, colon, password = pair.partition(":")
        if colon:
            found.extend((pair, password))
    return tuple(part for part in found if part)
