"""As whom a server acts, as far as what it is given tells: the secrets that are put in, or the login."""

import hashlib
from dataclasses import dataclass

from daemon.core.account import Account, seal_of
from daemon.core.canonical import canonical_json
from daemon.tools.servers.lives.put_in import used
from daemon.tools.servers.oauth.parts import login_place
from daemon.tools.servers.oauth.store import LoginStore
from daemon.tools.servers.values import ServerConfig
from daemon.vault.names import SECRET
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class _Read:
    server: ServerConfig
    names: list[str]
    """The secrets that it is started with."""
    place: str | None
    """Where a login for it belongs."""


class Acting:
    """Looks into what is readable of the vault, also while it is locked; no value is read."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._logins = LoginStore(vault)
        self._read: dict[str, _Read] = {}
        """What the configuration of a server says of it, by the server's name."""

    def account(self, server: ServerConfig) -> Account | None:
        """Return what an approval is bound to; None for a server that is given nothing of the vault.

        It is another account when a secret was replaced or taken out, and after another login; not when a token was
        renewed.
        """
        read = self._read.get(server.name)
        if read is None or read.server is not server:
            read = self._read[server.name] = _Read(server, sorted(used(server)), login_place(server))
        if read.names:
            return self._of_secrets(server, read.names)
        found = None if read.place is None else self._logins.login(read.place)
        if found is None:
            return None
        return Account(connector=server.name, name=found.issuer, kind="login", version=found.number, seal=found.seal)

    def _of_secrets(self, server: ServerConfig, names: list[str]) -> Account:
        entries = self._vault.readable_contents().entries
        there = {name: entries[name] for name in names if name in entries and entries[name].kind == SECRET}
        seals = {name: seal_of(entry.nonce) for name, entry in there.items()}
        return Account(
            connector=server.name,
            name=", ".join(names),
            kind="secret" if len(names) == 1 else "secrets",
            version=max((entry.version for entry in there.values()), default=0),
            seal=hashlib.sha256(canonical_json(seals).encode()).hexdigest()[:16],
        )
