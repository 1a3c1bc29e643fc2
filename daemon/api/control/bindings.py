"""Bindings: which credential a connector uses; values go in and never come out."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from daemon.api.answers import Body
from daemon.api.control.providers import find_provider
from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.api.principals import Who
from daemon.audit.changes import recorded, recorded_after
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import rfc3339
from daemon.connectors.service import ConnectorService
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fqn import Fqn, FqnError
from daemon.core.manifest import Credential
from daemon.core.principal import Principal
from daemon.core.providers import Provider, Providers
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType
from daemon.sessions.service import Sessions
from daemon.vault.bindings import BindingInfo, Bindings
from daemon.vault.errors import EntryNotFound
from daemon.vault.names import SECRET
from daemon.vault.values import ApiKey, Basic, OAuth2Tokens, SecretValue
from daemon.vault.vault import Vault

_Text = Annotated[str, Field(min_length=1, max_length=65536)]


class ApiKeyValue(Body):
    """An API key."""

    type: Literal["api_key"]
    key: _Text


class BasicValue(Body):
    """A user name and a password."""

    type: Literal["basic"]
    username: _Text
    password: _Text


class OAuth2Value(Body):
    """Tokens that were got elsewhere."""

    type: Literal["oauth2"]
    access_token: _Text
    refresh_token: _Text | None = None
    expires_at_ms: int | None = Field(default=None, ge=0, le=2**53)
    scopes: list[str] = Field(default_factory=list, max_length=200)
    token_type: str = Field(default="Bearer", max_length=100)


class StoredValue(Body):
    """A stored secret: its value is copied, and never leaves the daemon."""

    type: Literal["stored"]
    secret: str = Field(max_length=200)
    username: _Text | None = None


class BindingBody(Body):
    """A credential for a connector."""

    connector: str = Field(max_length=500)
    identity: str = Field(default="default", max_length=100)
    value: Annotated[ApiKeyValue | BasicValue | OAuth2Value | StoredValue, Field(discriminator="type")]
    replace: bool = False


class RebindBody(Body):
    """Which of several bindings a connector uses."""

    connector: str = Field(max_length=500)
    name: str = Field(max_length=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    bindings: Bindings
    vault: Vault
    connectors: ConnectorService
    providers: Providers
    audit: AuditLog
    sessions: Sessions


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)
    bindings = uses.bindings

    def grantee(text: str) -> Fqn | Provider:
        scheme, separator, name = text.partition("://")
        return find_provider(uses.providers, name) if separator and scheme == "provider" else parse_fqn(text)

    async def event(
        who: Principal, kind: str, payload: dict[str, Any], connector: Fqn | Provider | None = None
    ) -> AuditEvent:
        session = await uses.sessions.terminal()
        return AuditEvent(
            type=kind,
            session=session.id,
            actor=who,
            connector=None if connector is None else str(connector),
            payload=payload,
        )

    async def credential_of(connector: Fqn | Provider) -> Credential:
        if isinstance(connector, Provider):
            return connector.credential
        manifest = await uses.connectors.newest(connector)
        if manifest.credential is None:
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"{connector} uses no credential, so there is nothing to bind.",
                boundary=Boundary.USER,
            )
        return manifest.credential

    @routes.get("/v1/bindings", operation_id="bindings_list")
    async def list_bindings(part: Whole) -> ListPart:
        """Return the bindings by name, never a value."""
        listed = () if uses.vault.state == "absent" else bindings.list()
        items, cursor = cut("bindings", listed, key=lambda info: (info.name,), part=part)
        return ListPart(items=[_shown(info) for info in items], next_cursor=cursor)

    @routes.get("/v1/bindings/inspect", operation_id="binding_inspect")
    async def inspect(name: Annotated[str, Query(max_length=300)]) -> dict[str, Any]:
        """Return one binding, never its value."""
        return _shown(bindings.inspect(name))

    @routes.post("/v1/bindings", operation_id="binding_setup", status_code=201)
    async def setup(body: BindingBody, who: Who) -> dict[str, Any]:
        """Store a credential and grant it to a connector for the hosts its manifest names."""
        connector = grantee(body.connector)
        credential = await credential_of(connector)
        value = _value(body.value, credential, uses.vault)
        info = await recorded(
            uses.audit,
            await event(who, EventType.BINDING_CREATED, {Attr.BINDING_IDENTITY: visible(body.identity)}, connector),
            lambda: bindings.setup(
                connector=connector,
                credential=credential,
                identity=body.identity,
                value=value,
                replace=body.replace,
            ),
            outcome=lambda info: _granted(info, connector),
        )
        return _shown(info)

    @routes.post("/v1/bindings/rebind", operation_id="binding_rebind")
    async def rebind(body: RebindBody, who: Who) -> dict[str, Any]:
        """Choose the binding a connector uses, for the hosts its manifest names now."""
        connector = grantee(body.connector)
        credential = await credential_of(connector)
        info = await recorded(
            uses.audit,
            await event(who, EventType.BINDING_CHOSEN, {Attr.BINDING_NAME: visible(body.name)}, connector),
            lambda: bindings.rebind(connector, body.name, credential.hosts, kind=credential.kind),
            outcome=lambda info: _granted(info, connector),
        )
        return _shown(info)

    @routes.delete("/v1/bindings", operation_id="binding_revoke")
    async def revoke(name: Annotated[str, Query(max_length=300)], who: Who) -> dict[str, Any]:
        """Remove a binding and its value."""
        gone = await recorded_after(
            uses.audit,
            await event(who, EventType.BINDING_REVOKED, {Attr.BINDING_NAME: visible(name)}),
            lambda: bindings.revoke(name),
        )
        return _shown(gone.binding) | {"left": {fqn: list(names) for fqn, names in gone.left.items()}}

    return routes


def parse_fqn(text: str) -> Fqn:
    """Read a connector's name from a request."""
    try:
        return Fqn.parse(text)
    except FqnError as problem:
        raise Failure(FailureClass.INVALID_ARGUMENTS, str(problem), boundary=Boundary.USER) from problem


def _value(
    value: ApiKeyValue | BasicValue | OAuth2Value | StoredValue, credential: Credential, vault: Vault
) -> SecretValue:
    if isinstance(value, StoredValue):
        return _stored(value, credential, vault)
    if isinstance(value, ApiKeyValue):
        return ApiKey(value.key)
    if isinstance(value, BasicValue):
        return Basic(value.username, value.password)
    return OAuth2Tokens(
        access_token=value.access_token,
        refresh_token=value.refresh_token,
        expires_at_ms=value.expires_at_ms,
        scopes=tuple(value.scopes),
        token_type=value.token_type,
    )


def _stored(value: StoredValue, credential: Credential, vault: Vault) -> SecretValue:
    """Take the value from a plain secret; no other entry is one, so no binding is copied into another one."""
    if all(entry.name != value.secret or entry.kind != SECRET for entry in vault.list()):
        # The name is not repeated: it may be the secret itself, put there by mistake.
        raise EntryNotFound("The vault has no secret of that name. See them with: aileron secret list")
    text = vault.get(value.secret).decode()
    match credential.kind:
        case "api_key":
            return ApiKey(text)
        case "basic":
            if value.username is None:
                raise _not_usable("A basic credential has a user name, too: pass --username NAME.")
            return Basic(value.username, text)
    raise _not_usable(f"A credential of kind {credential.kind} is not one text; pass its tokens with --value-file.")


def _not_usable(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)


def _granted(info: BindingInfo, connector: Fqn | Provider) -> dict[str, Any]:
    return {Attr.BINDING_NAME: info.name, Attr.BINDING_HOSTS: list(info.connectors[str(connector)])}


def _shown(info: BindingInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "kind": info.kind,
        "service": info.service,
        "identity": info.identity,
        "connectors": {fqn: list(hosts) for fqn, hosts in info.connectors.items()},
        "chosen_for": list(info.chosen_for),
        "choice_needed": info.choice_needed,
        "created_at": rfc3339(info.created_ms),
        "updated_at": rfc3339(info.updated_ms),
        "expires_at": None if info.expires_at_ms is None else rfc3339(info.expires_at_ms),
        "scopes": list(info.scopes),
    }
