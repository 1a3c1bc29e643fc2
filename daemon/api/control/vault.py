"""The vault: making, unlocking, locking, and the plain secrets in it."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import rfc3339
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.sessions.service import Sessions
from daemon.vault.vault import Vault

_SECRET = "secret"  # noqa: S105 - a kind of entry, not a secret


class PassphraseBody(Body):
    """A passphrase."""

    passphrase: str = Field(max_length=4096)


class NewPassphraseBody(Body):
    """The passphrase that is, and the one that will be."""

    old: str = Field(max_length=4096)
    new: str = Field(max_length=4096)


class SecretBody(Body):
    """A secret under a name."""

    name: str = Field(max_length=200)
    value: str = Field(max_length=65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    vault: Vault
    audit: AuditLog
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    vault = uses.vault

    async def event(who: Principal, kind: str, **payload: object) -> AuditEvent:
        session = await uses.sessions.terminal()
        return AuditEvent(type=kind, session=session.id, actor=who, payload=payload)

    def shown() -> dict[str, Any]:
        locks_at = vault.locks_at_ms
        return {
            "state": vault.state,
            "entries": 0 if vault.state == "absent" else len(vault.list()),
            "auto_lock_seconds": vault.idle_seconds,
            "locks_at": None if locks_at is None else rfc3339(locks_at),
        }

    @routes.get("/v1/vault", operation_id="vault_status")
    async def status() -> dict[str, Any]:
        """Say whether there is a vault and whether it is open."""
        return shown()

    @routes.post("/v1/vault/create", operation_id="vault_create", status_code=201)
    async def create(body: PassphraseBody, who: Who) -> dict[str, Any]:
        """Make the vault."""
        await recorded(uses.audit, await event(who, EventType.VAULT_CREATED), lambda: vault.create(body.passphrase))
        return shown()

    @routes.post("/v1/vault/unlock", operation_id="vault_unlock")
    async def unlock(body: PassphraseBody, who: Who) -> dict[str, Any]:
        """Unlock the vault."""
        await recorded(uses.audit, await event(who, EventType.VAULT_UNLOCKED), lambda: vault.unlock(body.passphrase))
        return shown()

    @routes.post("/v1/vault/lock", operation_id="vault_lock")
    async def lock(who: Who) -> dict[str, Any]:
        """Lock the vault."""
        await recorded_after(uses.audit, await event(who, EventType.VAULT_LOCKED, reason="asked for"), vault.lock)
        return shown()

    @routes.post("/v1/vault/passphrase", operation_id="vault_passphrase")
    async def change(body: NewPassphraseBody, who: Who) -> dict[str, Any]:
        """Change the passphrase; one key is wrapped anew, no secret is touched."""
        await recorded(
            uses.audit,
            await event(who, EventType.VAULT_PASSPHRASE_CHANGED),
            lambda: vault.change_passphrase(body.old, body.new),
        )
        return shown()

    @routes.get("/v1/secrets", operation_id="secrets_list")
    async def secrets(part: Whole) -> ListPart:
        """Return the names of the plain secrets, never a value."""
        plain = (entry for entry in vault.list() if entry.kind == _SECRET)
        entries, cursor = cut("secrets", plain, key=lambda entry: (entry.name,), part=part)
        items = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "version": entry.version,
                "created_at": rfc3339(entry.created_ms),
                "updated_at": rfc3339(entry.updated_ms),
            }
            for entry in entries
        ]
        return ListPart(items=items, next_cursor=cursor)

    @routes.put("/v1/secrets", operation_id="secret_set", status_code=204)
    async def set_secret(body: SecretBody, who: Who) -> Response:
        """Store a secret under a name."""
        await recorded(
            uses.audit,
            await event(who, EventType.VAULT_SECRET_SET, **{Attr.VAULT_ENTRY: body.name}),
            lambda: vault.put(body.name, kind=_SECRET, value=body.value.encode(), metadata={}),
        )
        return Response(status_code=204)

    @routes.post("/v1/secrets/same", operation_id="secret_compare")
    async def compare(body: SecretBody) -> dict[str, bool]:
        """Say whether a secret is there already with exactly this value. The value that is there is never told."""
        return {"same": vault.holds(body.name, kind=_SECRET, value=body.value.encode())}

    @routes.delete("/v1/secrets", operation_id="secret_remove", status_code=204)
    async def remove_secret(name: Annotated[str, Query(max_length=200)], who: Who) -> Response:
        """Remove a secret."""
        await recorded(
            uses.audit,
            await event(who, EventType.VAULT_SECRET_REMOVED, **{Attr.VAULT_ENTRY: name}),
            lambda: vault.remove(name, kind=_SECRET),
        )
        return Response(status_code=204)

    return routes
