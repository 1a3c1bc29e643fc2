"""Which headers go on and which end here, and whose credential a request carries: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OF_THIS_HOP = frozenset({b"host", b"expect"})
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_TOKEN = b"ailt_"


@dataclass(frozen=True, slots=True)
class Presented:
    """The credentials in a request: session tokens of ours, and whether there is one of the client's own."""

    tokens: tuple[str, ...]
    own: bool


def presented(headers: Headers) -> Presented:
    """Look at the credentials of a request."""
    tokens, own = [], False
    for name, value in headers:
        if name in _CREDENTIALS:
            secret = _secret(value)
            if secret.startswith(_TOKEN):
                tokens.append(secret.decode("latin-1"))
            elif secret:
                own = True
    return Presented(tuple(tokens), own)


def onward(headers: Headers, *, keep_own: bool) -> list[tuple[str, str]]:
    """Return the headers of a request as they go on: without those of this hop, and never with a token of ours."""
    named = _named_by_connection(headers)
    kept = []
    for name, value in headers:
        if name in _HOP_BY_HOP or name in _OF_THIS_HOP or name in named:
            continue
        if name in _CREDENTIALS and (not keep_own or _secret(value).startswith(_TOKEN)):
            continue
        kept.append((name.decode("latin-1"), value.decode("latin-1")))
    return kept


def back(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an answer as they go back."""
    given = [(name.lower(), value) for name, value in headers]
    named = _named_by_connection(given)
    return [pair for pair in given if pair[0] not in _HOP_BY_HOP and pair[0] not in named]


def _secret(value: bytes) -> bytes:
    scheme, space, rest = value.strip().partition(b" ")
    return rest.strip() if space and scheme.lower() == b"bearer" else value.strip()


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    return frozenset(
        word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")
    )
