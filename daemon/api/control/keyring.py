"""The keyring: whose signatures count, for which connectors."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.base.clock import rfc3339
from daemon.connectors.keyring import Keyring, TrustedKey
from daemon.connectors.service import ConnectorService
from daemon.sessions.service import Sessions


class TrustBody(Body):
    """A publisher's key and what it may sign."""

    public_key: str = Field(max_length=8192)
    label: str = Field(max_length=200)
    namespaces: list[str] = Field(min_length=1, max_length=100)


class RevokeBody(Body):
    """A key that must not count any more."""

    key_id: str = Field(max_length=100)
    reason: str = Field(default="no reason given", max_length=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    keyring: Keyring
    connectors: ConnectorService
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/keyring", operation_id="keyring_list")
    async def keys(part: Whole) -> ListPart:
        """Return the trusted and the revoked keys, the oldest first."""
        items, cursor = cut("keyring", uses.keyring.list(), key=lambda key: (key.trusted_ms, key.key_id), part=part)
        return ListPart(items=[_shown(key) for key in items], next_cursor=cursor)

    @routes.post("/v1/keyring", operation_id="keyring_trust", status_code=201)
    async def trust(body: TrustBody, who: Who) -> dict[str, Any]:
        """Trust a key for some namespaces."""
        session = await uses.sessions.terminal()
        key = await uses.connectors.trust_key(
            body.public_key, label=body.label, namespaces=body.namespaces, actor=who, session=session.id
        )
        return _shown(key)

    @routes.post("/v1/keyring/revoke", operation_id="keyring_revoke")
    async def revoke(body: RevokeBody, who: Who) -> dict[str, Any]:
        """Revoke a key: what it signed does not run any more."""
        session = await uses.sessions.terminal()
        key = await uses.connectors.revoke_key(body.key_id, reason=body.reason, actor=who, session=session.id)
        return _shown(key)

    return routes


def _shown(key: TrustedKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "public_key": key.as_json()["public_key"],
        "label": key.label,
        "namespaces": list(key.namespaces),
        "trusted_at": rfc3339(key.trusted_ms),
        "revoked_at": None if key.revoked_ms is None else rfc3339(key.revoked_ms),
        "revoked_reason": key.revoked_reason,
    }
