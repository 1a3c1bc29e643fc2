"""Where logins lie: in the vault, tokens by issuer and resource, and clients that we registered by issuer."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from daemon.core.canonical import canonical_json
from daemon.tools.servers.oauth.clients import Client
from daemon.tools.servers.oauth.grants import Grant, read_grant
from daemon.vault.draft import Draft
from daemon.vault.names import LOGIN
from daemon.vault.vault import Vault

_AT = "at"
_NUMBER = "number"
_SINCE = "since"
_ISSUER = "issuer"
_RESOURCE = "resource"
_SCOPES = "scopes"
_EXPIRES = "expires"
_RENEWS = "renews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One login, as far as it may be known of everybody: renewed tokens are the same login."""

    issuer: str
    number: int
    """How many logins there were at this server, with this one."""
    seal: str
    scopes: tuple[str, ...] = ()
    expires_at_ms: int | None = None
    """When its access token ends; None if that was not said."""
    renews: bool = False
    """Whether it is renewed without the person."""


class LoginStore:
    """Keeps what logins brought. Which there are is readable while the vault is locked; no value is."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def need_open(self) -> None:
        """Raise the Failure of a vault that is locked, or not there."""
        self._vault.contents  # noqa: B018 - looking is what raises

    def entry(self, at: str) -> str | None:
        """Return the name of the entry with the tokens for a server; None if nobody is logged in there."""
        entries = self._vault.readable_contents().entries
        return next(
            (name for name, each in entries.items() if each.kind == LOGIN and each.metadata.get(_AT) == at), None
        )

    def login(self, at: str) -> Login | None:
        """Return the login at a server without its tokens, in any state of the vault; None if there is none."""
        name = self.entry(at)
        if name is None:
            return None
        about = self._vault.readable_contents().entries[name].metadata
        said = canonical_json([name, about.get(_SINCE, 0), about.get(_NUMBER, 0)])
        seal = hashlib.sha256(said.encode()).hexdigest()[:16]
        return Login(
            issuer=str(about.get(_ISSUER)),
            number=int(about.get(_NUMBER, 0)),
            seal=seal,
            scopes=tuple(map(str, about.get(_SCOPES, ()))),
            expires_at_ms=about.get(_EXPIRES),
            renews=bool(about.get(_RENEWS)),
        )

    def grant(self, at: str) -> Grant | None:
        """Return the tokens for a server, None if there are none; raises the Failure of a locked vault."""
        name = self.entry(at)
        if name is None:
            return None
        version = self._vault.contents.entries[name].version
        derived, key = self._vault.derived, (LOGIN, name)
        known: tuple[int, Grant | None] | None = derived.get(key)
        if known is None or known[0] != version:
            known = derived[key] = (version, read_grant(self._vault.get(name)))
        return known[1]

    async def save(self, grant: Grant) -> None:
        """Keep tokens in place of all others for the same server."""
        name = _name("tokens", grant.issuer, grant.resource)
        about = {_AT: grant.at, _ISSUER: grant.issuer, _RESOURCE: grant.resource, _SINCE: grant.obtained_ms}
        about |= _life_of(grant)

        def change(draft: Draft) -> None:
            former = draft.entries.get(name)
            about[_NUMBER] = 1 + int(former.metadata.get(_NUMBER, 0) if former is not None else 0)
            _drop(draft, grant.at, but=name)
            draft.put(name, kind=LOGIN, value=grant.stored(), metadata=about)

        await self._vault.edit(change)

    async def replace(self, former: Grant, grant: Grant) -> bool:
        """Keep new tokens in place of former ones, unless those were replaced or taken out meanwhile."""
        name = _name("tokens", former.issuer, former.resource)

        def change(draft: Draft) -> bool:
            # The vault does not change while a draft is made, so this looks at what the draft began with.
            if name not in draft.entries or read_grant(self._vault.get(name)) != former:
                return False
            metadata = {**draft.entries[name].metadata, **_life_of(grant)}
            draft.put(name, kind=LOGIN, value=grant.stored(), metadata=metadata)
            return True

        return await self._vault.edit(change)

    async def forget(self, at: str) -> None:
        """Take out the tokens for a server."""
        await self._vault.edit(lambda draft: _drop(draft, at))

    def client(self, issuer: str, now_ms: int) -> Client | None:
        """Return the client that we registered at an authorization server, unless its secret has ended."""
        name = _name("client", issuer)
        if name not in self._vault.contents.entries:
            return None
        try:
            client = Client(**json.loads(self._vault.get(name)))
        except (ValueError, TypeError):
            return None
        return None if client.secret_until_ms is not None and client.secret_until_ms <= now_ms else client

    async def keep_client(self, issuer: str, client: Client) -> None:
        """Keep a client that was registered."""
        value = canonical_json(asdict(client)).encode()
        await self._vault.put(_name("client", issuer), kind=LOGIN, value=value, metadata={_ISSUER: issuer})

    async def forget_client(self, issuer: str) -> None:
        """Let go of a client that its server does not know any more."""
        name = _name("client", issuer)

        def change(draft: Draft) -> None:
            if name in draft.entries:
                draft.remove(name)

        await self._vault.edit(change)


def _life_of(grant: Grant) -> dict[str, Any]:
    """Return what changes when tokens are renewed, and everybody may know."""
    return {
        _SCOPES: list(grant.scopes),
        _EXPIRES: grant.expires_at_ms,
        _RENEWS: grant.refresh_token is not None,
    }


def _drop(draft: Draft, at: str, but: str | None = None) -> None:
    for name, entry in list(draft.entries.items()):
        if entry.kind == LOGIN and entry.metadata.get(_AT) == at and name != but:
            draft.remove(name)


def _name(what: str, *of: str) -> str:
    """Return a name for an entry. The parts are hashed: they are URLs, which no name of the vault may hold."""
    return f"{LOGIN}/{what}/{hashlib.sha256(canonical_json(list(of)).encode()).hexdigest()}"
