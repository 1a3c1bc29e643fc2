"""Decides which headers are forwarded, and finds the credentials in a request: pure."""

from dataclasses import dataclass

from daemon.gateway.own_tokens import holds_token, tokens_in, without_holders

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ENDS_HERE = _HOP_BY_HOP | {b"host", b"expect"}
_NOTHING: frozenset[bytes] = frozenset()
_NO_BODY = frozenset({204, 304})
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_PROXYS = b"proxy-"
_OURS = b"x-aileron-token"
"""The header for the session's token, for clients that send a credential of their own and have no token in the URL."""


@dataclass(frozen=True, slots=True)
class Presented:
    """The credentials in a request: session tokens of ours, and whether there is one of the client's own."""

    tokens: tuple[str, ...]
    own: bool


def presented(headers: Headers) -> Presented:
    """Look at the credentials of a request."""
    tokens, own = [], False
    for name, value in headers:
        if name == _OURS:
            tokens.append(value.decode("latin-1").strip())
        elif name in _CREDENTIALS:
            found = tokens_in(value)
            tokens += found
            if not found and _secret(value) and not holds_token(value):
                own = True
    return Presented(tuple(tokens), own)


def onward(headers: Headers, *, keep_own: bool) -> Headers:
    """Return the headers of a request that are forwarded: none of this hop, and none with a token of ours."""
    named = _named_by_connection(headers)
    return without_holders(
        (name, value)
        for name, value in headers
        if name not in _ENDS_HERE
        and name != _OURS
        and name not in named
        and not name.startswith(_PROXYS)
        and (keep_own or name not in _CREDENTIALS)
    )


def back(headers: Headers, status: int) -> Headers:
    """Return the headers of an answer that are given to the agent."""
    named = _named_by_connection(headers)
    # An answer without a body may say how long the body would have been; the server here would wait for it.
    bodiless = status in _NO_BODY
    return [
        pair
        for pair in headers
        if pair[0] not in _HOP_BY_HOP
        and pair[0] not in named
        and not pair[0].startswith(_PROXYS)
        and not (bodiless and pair[0] == b"content-length")
    ]


def _secret(value: bytes) -> bytes:
    scheme, space, rest = value.strip().partition(b" ")
    return rest.strip() if space and scheme.lower() == b"bearer" else value.strip()


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    for name, _ in headers:
        if name == b"connection":
            break
    else:
        return _NOTHING
    return frozenset(
        word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")
    )
