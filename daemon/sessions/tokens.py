"""Session tokens: a session's name and caveats under a chain of HMACs, checked without looking anything up."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TOKEN_PREFIX = "ailt_"  # noqa: S105 - a marker by which logs recognise a token, not a secret
_MAX_LENGTH = 4096
_REMEMBERED = 1024


class Capability(StrEnum):
    """What a session token may be used for."""

    LIST_ACTIONS = "actions:list"
    RUN_ACTIONS = "actions:run"
    POLL_APPROVALS = "approvals:poll"
    PROXY_MODELS = "llm:proxy"


class TokenError(ValueError):
    """A token that is malformed, forged, expired or narrowed below what was asked of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """What a checked token says of its bearer."""

    session: str
    expires_ms: int
    capabilities: frozenset[Capability]


class TokenAuthority:
    """Mints and checks tokens with one key.

    A token is a list of caveats. Each signature is the key of the next one, so a bearer can add a caveat and thereby
    narrow the token, and nobody can take one away.
    """

    def __init__(self, *, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("a token key has at least 32 bytes")
        self._key = key
        self._proven: dict[str, TokenClaims] = {}

    def mint(self, *, session: str, expires_ms: int, capabilities: Iterable[Capability]) -> str:
        """Make a token for a session."""
        granted = ",".join(sorted(capability.value for capability in capabilities))
        caveats = [session, f"expires={expires_ms}", f"may={granted}"]
        return _write(caveats, _chain(self._key, caveats))

    def check(self, token: str, *, now_ms: int) -> TokenClaims:
        """Return what a token grants at this moment."""
        claims = self._proven.get(token)
        if claims is None:
            claims = self._prove(token)
            # The same few tokens come with every request, and to check a signature costs more than all other checks
            # of a request. Only valid tokens are kept, so nobody without one can push them out.
            if len(self._proven) >= _REMEMBERED:
                self._proven.clear()
            self._proven[token] = claims
        if now_ms >= claims.expires_ms:
            raise TokenError("the token has expired")
        return claims

    def _prove(self, token: str) -> TokenClaims:
        caveats, signature = _read(token)
        if not hmac.compare_digest(_chain(self._key, caveats), signature):
            raise TokenError("the token's signature is wrong")
        return _claims(caveats)


def restrict(token: str, caveat: str) -> str:
    """Narrow a token with one more caveat, `expires=<ms>` or `may=<capabilities>`; no key is needed for that."""
    caveats, signature = _read(token)
    return _write([*caveats, caveat], _sign(signature, caveat))


def _sign(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)


def _chain(key: bytes, caveats: list[str]) -> bytes:
    signature = key
    for caveat in caveats:
        signature = _sign(signature, caveat)
    return signature


def _claims(caveats: list[str]) -> TokenClaims:
    session, *rest = caveats
    expires_ms: int | None = None
    capabilities: frozenset[Capability] | None = None
    for caveat in rest:
        name, _, value = caveat.partition("=")
        if name == "expires" and value.isdecimal() and len(value) < 20:
            expires_ms = int(value) if expires_ms is None else min(expires_ms, int(value))
        elif name == "may":
            granted = frozenset(c for c in Capability if c.value in value.split(","))
            capabilities = granted if capabilities is None else capabilities & granted
        else:
            # A caveat that is not understood may forbid exactly what is being done.
            raise TokenError("the token carries a limit that this program does not know")
    if expires_ms is None or capabilities is None:
        raise TokenError("the token lacks an expiry or capabilities")
    return TokenClaims(session=session, expires_ms=expires_ms, capabilities=capabilities)


def _write(caveats: list[str], signature: bytes) -> str:
    body = json.dumps(caveats, separators=(",", ":")).encode()
    return f"{TOKEN_PREFIX}{_encode(body)}.{_encode(signature)}"


def _read(token: str) -> tuple[list[str], bytes]:
    if not token.startswith(TOKEN_PREFIX) or len(token) > _MAX_LENGTH or not token.isascii():
        raise TokenError("this is not a session token")
    body, separator, signature = token.removeprefix(TOKEN_PREFIX).partition(".")
    try:
        caveats = json.loads(_decode(body))
        mac = _decode(signature)
    except (ValueError, binascii.Error, RecursionError) as problem:
        raise TokenError("the token is malformed") from problem
    if not separator or not isinstance(caveats, list) or not caveats or not all(isinstance(c, str) for c in caveats):
        raise TokenError("the token is malformed")
    return caveats, mac


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise TokenError("the token is not written as it was given out")
    return raw
