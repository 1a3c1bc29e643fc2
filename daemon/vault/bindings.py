"""Bindings: which stored credential a connector uses, for which hosts, because a person said so."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from daemon.core.account import Account
from daemon.core.authority import HostPort
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.manifest import Credential
from daemon.vault.document import Contents, SealedEntry
from daemon.vault.draft import Draft, find_entry
from daemon.vault.errors import EntryNotFound, EntryRefused
from daemon.vault.grants import (
    Candidate,
    candidates_by_connector,
    grants_of,
    is_binding,
    needs_choice,
    pick,
    with_choice,
    with_grant,
)
from daemon.vault.names import check_name, check_segment
from daemon.vault.values import (
    OAuth2Tokens,
    SecretValue,
    check_value,
    decode_value,
    encode_value,
    header_payload,
    header_problem,
    kind_of,
    secret_forms,
)
from daemon.vault.vault import Vault

EXPIRY_MARGIN_MS = 10_000  # a token this close to its end would expire on the way


@dataclass(frozen=True, slots=True)
class BindingInfo:
    """What may be shown of a binding: everything but the value."""

    name: str
    kind: str
    service: str
    identity: str
    connectors: dict[str, tuple[str, ...]]
    chosen_for: tuple[str, ...]
    created_ms: int
    updated_ms: int
    version: int
    expires_at_ms: int | None = None
    scopes: tuple[str, ...] = ()
    choice_needed: bool = False
    """Whether some connector it is granted to has another binding too and none of them was chosen."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A binding that was removed, and for each of its connectors the bindings that are left."""

    binding: BindingInfo
    left: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ResolvedCredential:
    """A credential ready to be injected; its repr shows nothing of it.

    It is the same object until something about it changes, and each is equal to itself alone.
    """

    binding: str
    kind: str
    account: Account
    header: str
    value: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    expires_at_ms: int | None = None


class Grantee(Protocol):
    """What a credential can be granted to: a connector, or a model provider."""

    @property
    def service(self) -> str:
        """Return the middle part of the names of its bindings."""
        ...


class Bindings:
    """Sets up, chooses, resolves and revokes bindings in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._indexed: Contents | None = None
        self._index: dict[str, tuple[Candidate, ...]] = {}
        self._ready_for: Contents | None = None

    async def setup(
        self,
        *,
        connector: Grantee,
        credential: Credential,
        identity: str = "default",
        value: SecretValue,
        replace: bool = False,
    ) -> BindingInfo:
        """Store a credential for a connector and grant it for the hosts the connector's manifest names.

        Another identity is added beside the first. With `replace`, one that this connector uses gets the new value.
        """
        fqn, service, kind = str(connector), connector.service, credential.kind
        _check_offer(fqn, credential, value)
        check_segment(identity, what="identity")
        name = f"{kind}/{service}/{identity}"
        check_name(name, kind=kind)
        hosts = [str(host) for host in credential.hosts]

        def change(draft: Draft) -> BindingInfo:
            former = draft.entries.get(name)
            if former is not None and fqn not in grants_of(former):
                raise EntryRefused(
                    f"{name} belongs to another connector ({', '.join(sorted(grants_of(former))) or 'none'}). To keep "
                    "both, give this one another identity; to share that one, run: "
                    f"aileron binding use {fqn} {name}",
                    details={"name": name},
                )
            if former is not None and not replace:
                raise EntryRefused(
                    f"{name} is set up already. To give it a new value, say so with --replace; to keep both, use "
                    "another --identity.",
                    details={"name": name},
                )
            metadata = {} if former is None else dict(former.metadata)
            if isinstance(value, OAuth2Tokens):
                metadata |= {"expires_at_ms": value.expires_at_ms, "scopes": list(value.scopes)}
            draft.put(name, kind=kind, value=encode_value(value), metadata=with_grant(metadata, fqn=fqn, hosts=hosts))
            return _info(draft.contents(), draft.entry(name))

        return await self._vault.edit(change)

    def list(self) -> tuple[BindingInfo, ...]:
        """Tell all bindings, sorted by name; works while the vault is locked."""
        contents = self._vault.readable_contents()
        names = sorted(name for name, entry in contents.entries.items() if is_binding(entry))
        return tuple(_info(contents, contents.entries[name]) for name in names)

    def inspect(self, name: str) -> BindingInfo:
        """Tell one binding; works while the vault is locked."""
        contents = self._vault.readable_contents()
        return _info(contents, _binding(find_entry(contents.entries, name)))

    async def rebind(
        self, connector: Grantee, name: str, hosts: Iterable[HostPort], *, kind: str | None = None
    ) -> BindingInfo:
        """Choose a binding for a connector and grant it for exactly these hosts; with a kind, only a binding of it."""
        fqn, granted = str(connector), [str(host) for host in hosts]

        def change(draft: Draft) -> BindingInfo:
            entry = _binding(draft.entry(name))
            if kind is not None and entry.kind != kind:
                raise EntryRefused(f"{fqn} takes a credential of kind {kind}; {name} is of kind {entry.kind}.")
            metadata = with_grant(entry.metadata, fqn=fqn, hosts=granted)
            draft.describe(name, with_choice(metadata, fqn=fqn, revision=draft.revision + 1))
            draft.choose(fqn, name)
            return _info(draft.contents(), draft.entry(name))

        return await self._vault.edit(change)

    async def revoke(self, name: str) -> Revocation:
        """Remove a binding with its grants and every choice of it."""

        def change(draft: Draft) -> Revocation:
            binding = _info(draft.contents(), _binding(draft.entry(name)))
            draft.remove(name)
            left = candidates_by_connector(draft.contents())
            return Revocation(
                binding,
                {
                    fqn: tuple(other.name for other in left.get(fqn, ()) if other.kind == binding.kind)
                    for fqn in binding.connectors
                },
            )

        return await self._vault.edit(change)

    def is_granted(self, connector: Grantee) -> bool:
        """Say whether any binding was granted to somebody; works while the vault is locked."""
        return str(connector) in candidates_by_connector(self._vault.readable_contents())

    def resolve(self, connector: Grantee, credential: Credential) -> ResolvedCredential:
        """Return the credential a connector is to be called with, or raise the Failure that says what a person must do.

        Only a binding that was granted to exactly this connector, for at least the hosts the manifest names, is used.
        """
        contents, ready = self._vault.contents, self._vault.derived
        self._look_at(contents)
        if contents is not self._ready_for:
            ready.clear()
            self._ready_for = contents
        resolved: ResolvedCredential | None = ready.get((connector, credential))
        if resolved is None or self._is_over(resolved.expires_at_ms):
            resolved = ready[connector, credential] = self._work_out(connector, credential, contents)
        return resolved

    def account(self, connector: Grantee, credential: Credential) -> Account | None:
        """Return the account a connector would act as now, or None where there is none; also while locked.

        It tells whether what was resolved before is still what a person wants used. It decides nothing by itself: while
        the vault is locked nothing can be resolved.
        """
        contents = self._vault.readable_contents()
        self._look_at(contents)
        fqn = str(connector)
        found = pick(self._index.get(fqn, ()), kind=credential.kind, chosen=contents.choices.get(fqn))
        return None if found is None else _account(fqn, found)

    def _look_at(self, contents: Contents) -> None:
        if contents is not self._indexed:
            self._index, self._indexed = candidates_by_connector(contents), contents

    def _work_out(self, connector: Grantee, credential: Credential, contents: Contents) -> ResolvedCredential:
        fqn, kind = str(connector), credential.kind
        if credential.inject is None:
            raise _failed(f"{fqn} does not say how its credential is to be sent.", binding=None)
        candidates = self._index.get(fqn, ())
        binding = pick(candidates, kind=kind, chosen=contents.choices.get(fqn))
        if binding is None:
            _require(fqn, kind, [candidate.name for candidate in candidates if candidate.kind == kind])
        uncovered = [host for host in map(str, credential.hosts) if host not in binding.hosts]
        if uncovered:
            command = f"aileron binding use {fqn} {binding.name}"
            raise Failure(
                FailureClass.BINDING_REQUIRED,
                f"{fqn} asks to send its credential to {', '.join(uncovered)}, which {binding.name} was not "
                f"granted for. To allow it, run: {command}",
                boundary=Boundary.USER,
                details={"connector": fqn, "kind": kind, "hosts": uncovered, "command": command},
            )
        value = self._value(binding.name, fqn)
        header = credential.inject.header_value(header_payload(value))
        problem = header_problem(header)
        if problem is not None:
            raise _failed(f"The header made of {binding.name} {problem}.", binding=binding.name)
        return ResolvedCredential(
            binding.name,
            kind,
            _account(fqn, binding),
            credential.inject.header,
            header,
            secret_forms(value, header=header),
            value.expires_at_ms if isinstance(value, OAuth2Tokens) else None,
        )

    def _value(self, name: str, fqn: str) -> SecretValue:
        value = decode_value(self._vault.get(name))
        command = f"aileron binding add {fqn} --identity {name.rpartition('/')[2]} --replace"
        if value is None:
            raise _failed(f"The value of {name} is not a credential; run: {command}", binding=name)
        if isinstance(value, OAuth2Tokens) and self._is_over(value.expires_at_ms):
            raise _failed(f"The sign-in of {name} has expired; run: {command}", binding=name)
        return value

    def _is_over(self, expires_at_ms: int | None) -> bool:
        return expires_at_ms is not None and expires_at_ms <= self._vault.now_ms() + EXPIRY_MARGIN_MS


def _account(fqn: str, binding: Candidate) -> Account:
    return Account(connector=fqn, name=binding.name, kind=binding.kind, version=binding.version, seal=binding.seal)


def _check_offer(fqn: str, credential: Credential, value: SecretValue) -> None:
    if credential.kind == "none" or credential.inject is None:
        raise EntryRefused(f"{fqn} takes no credential, so there is nothing to set up.")
    if kind_of(value) != credential.kind:
        raise EntryRefused(f"{fqn} takes a credential of kind {credential.kind}, not {kind_of(value)}.")
    check_value(value)
    problem = header_problem(credential.inject.header_value(header_payload(value)))
    if problem is not None:
        raise EntryRefused(f"The header made of this credential {problem}.")


def _require(fqn: str, kind: str, candidates: list[str]) -> NoReturn:
    """Say that a person must set up a binding, or choose among those there are."""
    details = {"connector": fqn, "kind": kind}
    if candidates:
        command = f"aileron binding use {fqn} {candidates[0] if len(candidates) == 1 else '<name>'}"
        message = f"{fqn} may use {', '.join(candidates)}, and nobody chose which; run: {command}"
        extra: dict[str, object] = {"candidates": candidates, "command": command}
    else:
        command = f"aileron binding add {fqn}"
        message = f"{fqn} has no {kind} credential; run: {command}"
        extra = {"command": command}
    raise Failure(FailureClass.BINDING_REQUIRED, message, boundary=Boundary.USER, details={**details, **extra})


def _failed(message: str, *, binding: str | None) -> Failure:
    details = {} if binding is None else {"binding": binding}
    return Failure(FailureClass.BINDING_FAILED, message, boundary=Boundary.USER, details=details)


def _binding(entry: SealedEntry) -> SealedEntry:
    if not is_binding(entry):
        raise EntryNotFound(f"{entry.name!r} is a plain secret, not a binding.", details={"name": entry.name})
    return entry


def _info(contents: Contents, entry: SealedEntry) -> BindingInfo:
    _, service, identity = entry.name.split("/")
    grants = grants_of(entry)
    expires_at_ms, scopes = entry.metadata.get("expires_at_ms"), entry.metadata.get("scopes")
    return BindingInfo(
        name=entry.name,
        kind=entry.kind,
        service=service,
        identity=identity,
        connectors={fqn: tuple(hosts) for fqn, hosts in sorted(grants.items())},
        chosen_for=tuple(sorted(fqn for fqn, chosen in contents.choices.items() if chosen == entry.name)),
        created_ms=entry.created_ms,
        updated_ms=entry.updated_ms,
        version=entry.version,
        expires_at_ms=expires_at_ms if isinstance(expires_at_ms, int) else None,
        scopes=tuple(scopes) if isinstance(scopes, list) else (),
        choice_needed=any(needs_choice(contents, fqn=fqn, kind=entry.kind) for fqn in grants),
    )
