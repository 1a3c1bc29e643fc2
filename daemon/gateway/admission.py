"""Decides which requests are forwarded at all, before any key is attached: pure."""

from dataclasses import dataclass

from daemon.core.providers import Style
from daemon.gateway.own_tokens import holds_token

Headers = list[tuple[bytes, bytes]]

METHODS = {
    # What the two APIs use: create and change by POST, read, remove. HEAD is how clients see whether a place answers.
    # Everything else is refused: TRACE would have a provider send the key back, CONNECT would make a tunnel of it.
    Style.ANTHROPIC: frozenset({"GET", "HEAD", "POST", "DELETE"}),
    Style.OPENAI: frozenset({"GET", "HEAD", "POST", "DELETE"}),
}
_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override", b"http-method-override"})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not forwarded: the status and the sentence of the answer, and the methods that would be."""

    status: int
    message: str
    allow: str = ""


def refusal(method: str, headers: Headers, path: str, style: Style) -> Refused | None:
    """Say why a request is not forwarded; None if it is."""
    names = {name for name, _ in headers}
    if b"upgrade" in names:
        return Refused(426, "The gateway takes requests, not websockets; use HTTP.")
    if method not in METHODS[style]:
        allow = ", ".join(sorted(METHODS[style]))
        return Refused(405, f"The gateway does not forward {method[:40]}; it forwards {allow}.", allow)
    if b"trailer" in names:
        return Refused(400, "The gateway takes no headers behind a body (Trailer); send them in front of it.")
    overriding = next((name for name in names if name.replace(b"_", b"-") in _OVERRIDES), None)
    if overriding is not None:
        written = overriding.decode("latin-1")
        return Refused(400, f"The header {written} would make another method of this one; send the method itself.")
    for name, value in headers:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            return Refused(400, "The body is packed for the transfer (Transfer-Encoding); only chunked is forwarded.")
    if holds_token(path.encode("latin-1")):
        return Refused(400, "There is a session token in the path of the request; only the first place is for it.")
    return None
