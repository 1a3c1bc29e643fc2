"""What a login brought, as it lies in the vault, and how an authorization server is asked for it and for a new one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from daemon.core.canonical import canonical_json
from daemon.tools.servers.oauth.asking import Asker
from daemon.tools.servers.oauth.challenges import scopes_in
from daemon.tools.servers.oauth.clients import Client
from daemon.tools.servers.oauth.problems import LoginError
from daemon.vault.values import header_problem

_EARLY_MS = 60_000
_EARLY_PART = 5
_LONGEST_MS = 10 * 365 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The tokens for one resource of one authorization server."""

    issuer: str
    resource: str
    at: str
    """The server that they are sent to: its URL without query."""
    client: Client = field(repr=False)
    token_url: str
    revocation_url: str | None
    access_token: str = field(default="", repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    obtained_ms: int = 0
    expires_at_ms: int | None = None
    scopes: tuple[str, ...] = ()

    @property
    def secrets(self) -> frozenset[str]:
        """Return what must never be seen outside."""
        every = {self.access_token, self.refresh_token, self.client.secret}
        return frozenset(each for each in every if each)

    def is_over(self, now_ms: int) -> bool:
        """Say whether the access token has expired."""
        return self.expires_at_ms is not None and now_ms >= self.expires_at_ms

    def is_due(self, now_ms: int) -> bool:
        """Say whether it is time for a new access token: a minute early, or a fifth of a short life."""
        if self.expires_at_ms is None or self.refresh_token is None:
            return False
        early = min(_EARLY_MS, (self.expires_at_ms - self.obtained_ms) // _EARLY_PART)
        return now_ms >= self.expires_at_ms - early

    def stored(self) -> bytes:
        """Write it the way it is stored."""
        return canonical_json(asdict(self) | {"scopes": list(self.scopes)}).encode()


def read_grant(raw: bytes) -> Grant | None:
    """Read a stored one; None if it is not one. (No exception, because a parser's would carry the secret.)"""
    try:
        said = json.loads(raw)
        return Grant(**(said | {"client": Client(**said["client"]), "scopes": tuple(said["scopes"])}))
    except (ValueError, TypeError, KeyError):
        return None


async def ask_for_tokens(asker: Asker, grant: Grant, fields: Mapping[str, str], now_ms: int) -> Grant:
    """Return a grant with the tokens that a token endpoint gives; raises LoginError."""
    own, basic = grant.client.told()
    answer = await asker.form(grant.token_url, {**fields, **own, "resource": grant.resource}, basic=basic)
    return with_tokens(grant, answer, now_ms)


def with_tokens(grant: Grant, answer: Mapping[str, Any], now_ms: int) -> Grant:
    """Return a grant with the tokens of an answer; a refresh token that is not replaced stays."""
    access, refresh, seconds = (answer.get(key) for key in ("access_token", "refresh_token", "expires_in"))
    if str(answer.get("token_type", "")).lower() != "bearer":
        raise LoginError(f"{grant.issuer} gave a token of a kind that is not supported; only Bearer is.")
    if not isinstance(access, str) or header_problem(access) is not None or " " in access:
        raise LoginError(f"{grant.issuer} gave an access token that cannot be sent.")
    if refresh is not None and not (isinstance(refresh, str) and refresh):
        raise LoginError(f"{grant.issuer} gave a refresh token that cannot be read.")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 12:
        seconds = int(seconds)
    life_ms = None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < _LONGEST_MS:
        life_ms = min(int(seconds * 1000), _LONGEST_MS)
    scope = answer.get("scope")
    return replace(
        grant,
        access_token=access,
        refresh_token=refresh or grant.refresh_token,
        obtained_ms=now_ms,
        expires_at_ms=None if life_ms is None else now_ms + life_ms,
        scopes=scopes_in(scope) if isinstance(scope, str) and scope else grant.scopes,
    )


async def revoke(asker: Asker, grant: Grant) -> None:
    """Tell the authorization server that the tokens are not used any more; raises LoginError."""
    if grant.revocation_url is None:
        raise LoginError(f"{grant.issuer} takes no word of it.")
    own, basic = grant.client.told()
    tokens = {"refresh_token": grant.refresh_token, "access_token": grant.access_token}
    for kind, token in tokens.items():
        if token:
            await asker.told(grant.revocation_url, {"token": token, "token_type_hint": kind, **own}, basic=basic)
