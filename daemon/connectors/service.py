"""Connectors as the rest of the daemon sees them: checked before every use, and called in one way only."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from daemon.audit.changes import recorded
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.connectors.answers import check_arguments
from daemon.connectors.call import (
    CallRunner,
    ConnectorCall,
    ConnectorResult,
    CredentialSource,
    GuestLog,
    ReadyCall,
)
from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.install import Installer
from daemon.connectors.inventory import Inventory
from daemon.connectors.keyring import Keyring, TrustedKey
from daemon.connectors.plan import InstalledConnector, InstallPlan, InstallReport
from daemon.connectors.revocation import mark_revoked
from daemon.connectors.sealing import Redact, Resolved
from daemon.connectors.store import ConnectorStore, StoredConnector
from daemon.connectors.wasm.errors import ConnectorRejected
from daemon.connectors.wasm.runtime import LoadedConnector, WasmRuntime
from daemon.core.account import Account
from daemon.core.action import ConnectorRequirement
from daemon.core.canonical import CanonicalError, canonical_json
from daemon.core.capabilities import check_op
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.fqn import Fqn
from daemon.core.manifest import Manifest
from daemon.core.principal import Principal
from daemon.core.vocabulary import Attr, EventType
from daemon.net.reach import never_reached

THREADS = 2
MAX_ARGUMENTS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Program:
    """A compiled connector and the manifest text it may ask for."""

    loaded: LoadedConnector
    manifest_json: str


class ConnectorService:
    """Installs, shows, checks, calls and removes connectors, and changes whom the person trusts."""

    def __init__(
        self,
        *,
        store: ConnectorStore,
        keyring: Keyring,
        runtime: WasmRuntime,
        http: OutboundHttp,
        credentials: CredentialSource,
        audit: AuditLog,
        clock: Clock,
        user_home: Path | None = None,
        log: GuestLog | None = None,
        redact: Redact = str,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._runtime = runtime
        self._credentials = credentials
        self._audit = audit
        self._allow_private = http.allow_private
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="connectors")
        self._programs: dict[str, _Program] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._listeners: list[Callable[[], None]] = []
        self._log: GuestLog = structlog.get_logger("daemon.connectors") if log is None else log
        self._inventory = Inventory(store=store, keyring=keyring, executor=self._executor)
        self._installer = Installer(
            store=store,
            keyring=keyring,
            runtime=runtime,
            audit=audit,
            clock=clock,
            user_home=Path.home() if user_home is None else user_home,
            executor=self._executor,
        )
        self._runner = CallRunner(
            runtime=runtime,
            http=http,
            clock=clock,
            log=self._log,
            redact=redact,
            note_denials=self._note_denials,
        )

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a listener each time other connectors may run than before."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    async def open(self) -> None:
        """Make the store ready, clear away interrupted installs, and look at every connector once."""
        await self._inventory.off_loop(self._store.open)
        await self._inventory.off_loop(self._store.list)

    async def close(self) -> None:
        """Finish the disk work under way and give the threads back."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    # Checking

    async def check(self, requirement: ConnectorRequirement) -> Manifest:
        """Return the manifest of a pinned connector that may run now; done before every execution."""
        return (await self._inventory.require(requirement)).manifest

    async def manifest(self, requirement: ConnectorRequirement) -> Manifest:
        """Return the manifest of a pinned connector, read from bytes that match its hash."""
        return await self.check(requirement)

    def account(self, manifest: Manifest) -> Account | None:
        """Return the account a call would act as, None for a connector without one.

        Raises the Failure that the call would meet for want of a credential.
        """
        credential = self._resolve(manifest)
        return None if credential is None else credential.account

    def check_reach(self, manifest: Manifest) -> None:
        """Raise the Failure that a call is sure to meet because no host of the connector may be dialled.

        Done before a person is asked to approve a call that would then be refused anyway.
        """
        problem = never_reached(manifest.hosts, allowed=self._allow_private)
        if problem is not None:
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                problem,
                boundary=Boundary.CONNECTOR_MANIFEST,
                details={"connector": str(manifest.name)},
            )

    async def newest(self, name: Fqn) -> Manifest:
        """Return the manifest of the newest installed version of a connector."""
        return (await self._inventory.newest(name)).manifest

    # Calling

    async def call(self, call: ConnectorCall) -> ConnectorResult:
        """Run one operation: the only way in which a connector's code is ever run for somebody."""
        stored = await self._inventory.require(call.requirement)
        manifest = stored.manifest
        op = check_op(manifest, call.op)
        arguments_json = _arguments_json(call, manifest, problems=check_arguments(op.inputs, call.arguments))
        # Before the program is touched: a missing binding or a locked vault shows at once, with nothing done.
        credential = self._resolve(manifest)
        _check_account(call, None if credential is None else credential.account)
        program = self._programs.get(stored.hash) or await self._load(stored)
        return await self._runner.run(
            ReadyCall(
                call=replace(call, before_send=partial(self._before_send, call, manifest)),
                manifest=manifest,
                manifest_json=program.manifest_json,
                op=op,
                arguments_json=arguments_json,
                credential=credential,
                loaded=program.loaded,
            )
        )

    async def _before_send(self, call: ConnectorCall, manifest: Manifest) -> None:
        """Look at the account once more when all is written down; a call may have waited since it was resolved."""
        await call.before_send()
        if manifest.credential is not None:
            _check_account(call, self._credentials.account(manifest.name, manifest.credential))

    def _resolve(self, manifest: Manifest) -> Resolved | None:
        if manifest.credential is None:
            return None
        return self._credentials.resolve(manifest.name, manifest.credential)

    async def _load(self, stored: StoredConnector) -> _Program:
        async with self._loading.setdefault(stored.hash, asyncio.Lock()):
            known = self._programs.get(stored.hash)
            if known is not None:
                return known
            # Hashed once more as it is read: what is compiled is what was checked, whatever happens to the file.
            release = await self._inventory.off_loop(lambda: self._store.read(stored.hash))
            try:
                loaded = await self._runtime.load(release.wasm)
            except ConnectorRejected as rejected:
                raise Failure(
                    FailureClass.CONNECTOR_RUNTIME_ERROR,
                    f"{stored.manifest.name} {stored.manifest.version} cannot be loaded: {rejected}",
                    boundary=Boundary.RUNTIME,
                ) from rejected
            program = _Program(loaded=loaded, manifest_json=stored.manifest.as_json())
            self._programs[stored.hash] = program
            return program

    async def _note_denials(self, call: ConnectorCall, denials: Sequence[Mapping[str, str]], count: int) -> None:
        """Write down what a connector was refused; its answer goes on even if that cannot be written."""
        event = AuditEvent(
            type=EventType.CONNECTOR_REQUEST_DENIED,
            session=call.session,
            actor=call.actor,
            action=call.action,
            connector=str(call.requirement.name),
            failure_class=FailureClass.CAPABILITY_DENIED.value,
            payload={
                Attr.EXECUTION_ID: call.execution,
                Attr.CONNECTOR_HASH: call.requirement.hash,
                Attr.CONNECTOR_OP: call.op,
                Attr.DENIALS_COUNT: count,
                Attr.DENIALS: [dict(denial) for denial in denials],
            },
        )
        try:
            await self._audit.append(event)
        except Failure as failure:
            self._log.log(40, "connector.denials_not_audited", reason=failure.message, execution=call.execution)

    # Installing and removing

    async def inspect_source(self, source: str) -> InstallPlan:
        """Say what installing from a source would mean; nothing of it is run."""
        return await self._installer.plan(source)

    async def install(
        self,
        source: str,
        *,
        allow_unsigned: bool,
        consent: bool,
        expected_hash: str | None,
        actor: Principal,
        session: str | None,
    ) -> InstallReport:
        """Install what the person looked at and consented to."""
        report = await self._installer.install(
            source,
            allow_unsigned=allow_unsigned,
            consent=consent,
            expected_hash=expected_hash,
            actor=actor,
            session=session,
        )
        self._changed()
        return report

    def stop_install(self, content_hash: str) -> bool:
        """Stop an install that the person does not want any more; False if it is too late, or there is none."""
        return self._installer.stop(content_hash)

    async def list(self) -> tuple[InstalledConnector, ...]:
        """Return everything in the store, also what is damaged or may not run."""
        return await self._inventory.list()

    async def show(self, ref: str) -> InstalledConnector:
        """Return one connector by hash, by name@version, or the newest of a name."""
        return (await self._inventory.find(ref))[-1]

    async def remove(self, ref: str, *, actor: Principal, session: str | None) -> InstalledConnector:
        """Remove exactly one connector; whether an action uses it is for the caller to say."""
        found = await self._inventory.find(ref)
        if len(found) > 1:
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"{ref!r} means {len(found)} installed connectors; name one by its hash.",
                boundary=Boundary.USER,
                details={"candidates": [entry.hash for entry in found]},
            )
        gone = found[0]
        name = None if gone.stored is None else str(gone.stored.manifest.name)
        payload = {Attr.CONNECTOR_HASH: gone.hash, Attr.CONNECTOR_FQN: name}
        if gone.stored is not None:
            payload[Attr.CONNECTOR_VERSION] = str(gone.stored.manifest.version)
        event = AuditEvent(
            type=EventType.CONNECTOR_REMOVED, session=session, actor=actor, connector=name, payload=payload
        )
        await recorded(self._audit, event, lambda: self._inventory.off_loop(lambda: self._store.remove(gone.hash)))
        self._programs.pop(gone.hash, None)
        self._loading.pop(gone.hash, None)
        self._changed()
        return gone

    # Trusting

    async def trust_key(
        self, public_key: str, *, label: str, namespaces: Sequence[str], actor: Principal, session: str | None
    ) -> TrustedKey:
        """Trust a publisher's key; the consent is durable before the key counts."""
        proposed = self._keyring.propose(public_key, label=label, namespaces=namespaces)
        payload = {
            Attr.CONSENT_KIND: "connector.trust_key",
            Attr.KEY_ID: proposed.key_id,
            Attr.KEY_LABEL: proposed.label,
            Attr.KEY_NAMESPACES: [*proposed.namespaces],
        }
        await self._audit.append(
            AuditEvent(type=EventType.CONSENT_GRANTED, session=session, actor=actor, connector=None, payload=payload)
        )
        key = await self._inventory.off_loop(
            lambda: self._keyring.trust(public_key, label=label, namespaces=namespaces)
        )
        self._changed()
        await self._audit.append(_key_event(EventType.CONNECTOR_KEY_TRUSTED, key, actor=actor, session=session))
        return key

    async def revoke_key(self, key_id: str, *, reason: str, actor: Principal, session: str | None) -> TrustedKey:
        """Revoke a key; it stops counting at once, even when the log cannot be written."""
        key = await self._inventory.off_loop(lambda: mark_revoked(self._keyring, self._store, key_id, reason=reason))
        self._changed()
        await self._audit.append(_key_event(EventType.CONNECTOR_KEY_REVOKED, key, actor=actor, session=session))
        return key


def _check_account(call: ConnectorCall, account: Account | None) -> None:
    """Refuse a call that would act as another account than the one it was checked, shown and written down with."""
    if account == call.account:
        return
    raise Failure(
        FailureClass.BINDING_FAILED,
        f"The account of {call.requirement.name} has changed since this call was checked: it was"
        f" {call.account or 'none'} and is now {account or 'none'}. Nothing of this call was sent; ask again.",
        boundary=Boundary.USER,
        details={"connector": str(call.requirement.name)},
    )


def _arguments_json(call: ConnectorCall, manifest: Manifest, *, problems: Sequence[str]) -> str:
    text = ""
    if not problems:
        try:
            text = canonical_json(dict(call.arguments))
        except CanonicalError as error:
            problems = [str(error)]
        if len(text) > MAX_ARGUMENTS:
            problems = [f"together they have {len(text)} characters; at most {MAX_ARGUMENTS} are accepted"]
    if problems:
        raise Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"The inputs of {call.op} of {manifest.name} do not fit its manifest: {'; '.join(problems)}.",
            boundary=Boundary.CONNECTOR_MANIFEST,
            details={"connector": str(manifest.name), "op": call.op, "problems": [*problems]},
        )
    return text


def _key_event(kind: str, key: TrustedKey, *, actor: Principal, session: str | None) -> AuditEvent:
    return AuditEvent(
        type=kind,
        session=session,
        actor=actor,
        connector=None,
        payload={
            Attr.KEY_ID: key.key_id,
            Attr.KEY_LABEL: key.label,
            Attr.KEY_NAMESPACES: [*key.namespaces],
            Attr.KEY_REVOKED_REASON: key.revoked_reason,
        },
    )
