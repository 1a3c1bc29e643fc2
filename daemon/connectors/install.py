"""The install pipeline: fetch, read, hash, judge the signature, ask for consent, compile, publish; each stage once."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock
from daemon.connectors.archive import MANIFEST_NAME, Release
from daemon.connectors.errors import InstallError
from daemon.connectors.keyring import Keyring
from daemon.connectors.plan import InstallPlan, InstallReport
from daemon.connectors.record import InstallRecord
from daemon.connectors.source import FETCHERS, Fetcher, SourceScheme, parse_source
from daemon.connectors.store import ConnectorStore, StoredConnector
from daemon.connectors.verdict import judge, require_installable
from daemon.connectors.wasm.errors import ConnectorRejected
from daemon.connectors.wasm.runtime import WasmRuntime
from daemon.core.digests import connector_hash
from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass
from daemon.core.manifest import Manifest
from daemon.core.manifest_parser import parse_manifest
from daemon.core.principal import Principal
from daemon.core.visible import visible
from daemon.core.vocabulary import Attr, EventType

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A release as it was read once, and what a person needs to know of it."""

    release: Release
    plan: InstallPlan


class _Underway:
    """One install, which may be stopped until it is committed.

    begun --unless_stopped()--> compiling --commits()--> committed
      |                            |
      +-----------stop()-----------+--> stopped, and every later step raises InstallError
    """

    def __init__(self) -> None:
        self._stopped = False
        self._committed = False
        self._compiling: asyncio.Task[None] | None = None

    def stop(self) -> bool:
        """Stop it; False if it is committed by now."""
        if self._committed:
            return False
        self._stopped = True
        if self._compiling is not None:
            self._compiling.cancel()
        return True

    async def unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes its time, unless it is stopped before or meanwhile."""
        self._compiling = asyncio.get_running_loop().create_task(work, name="compile a connector")
        if self._stopped:
            self._compiling.cancel()
        try:
            await self._compiling
        except asyncio.CancelledError:
            if not self._stopped:  # it was not the compiler that was stopped, but who waits for it
                self._compiling.cancel()
                raise
            raise InstallError("It was stopped, and nothing of it was installed.") from None

    def commits(self) -> None:
        """From here on it cannot be stopped."""
        if self._stopped:
            raise InstallError("It was stopped, and nothing of it was installed.")
        self._committed = True


class Installer:
    """Brings connectors into the store, and writes down who agreed to what."""

    def __init__(
        self,
        *,
        store: ConnectorStore,
        keyring: Keyring,
        runtime: WasmRuntime,
        audit: AuditLog,
        clock: Clock,
        user_home: Path,
        executor: Executor,
        fetchers: Mapping[SourceScheme, Fetcher] = FETCHERS,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._runtime = runtime
        self._audit = audit
        self._clock = clock
        self._user_home = user_home
        self._executor = executor
        self._fetchers = fetchers
        self._one_at_a_time = asyncio.Lock()  # a release is held in memory whole
        self._underway: dict[str, _Underway] = {}

    async def plan(self, source: str) -> InstallPlan:
        """Look at a source and say what installing it would mean; nothing of it is run."""
        async with self._one_at_a_time:
            return (await self._off_loop(lambda: self._examine(source))).plan

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
        """Install what the person consented to; a refusal is written to the audit log too."""
        underway = _Underway()
        with self._known_as(expected_hash, underway):
            return await self._install(underway, source, allow_unsigned, consent, expected_hash, actor, session)

    def stop(self, content_hash: str) -> bool:
        """Stop an install before it is committed; False for one that is, and for none."""
        underway = self._underway.get(content_hash)
        return underway is not None and underway.stop()

    @contextlib.contextmanager
    def _known_as(self, content_hash: str | None, underway: "_Underway") -> Iterator[None]:
        """Let an install be stopped by the hash that the person agreed to, unless another one of it is at work."""
        if content_hash is None or content_hash in self._underway:
            yield
            return
        self._underway[content_hash] = underway
        try:
            yield
        finally:
            del self._underway[content_hash]

    async def _install(
        self,
        underway: "_Underway",
        source: str,
        allow_unsigned: bool,
        consent: bool,
        expected_hash: str | None,
        actor: Principal,
        session: str | None,
    ) -> InstallReport:
        async with self._one_at_a_time:
            plan: InstallPlan | None = None
            try:
                candidate = await self._off_loop(lambda: self._examine(source))
                plan = candidate.plan
                require_installable(plan.signature, allow_unsigned=allow_unsigned)
                _require_consent(plan, consent=consent, expected_hash=expected_hash)
                await underway.unless_stopped(self._require_sound(candidate))
                underway.commits()
                return await self._commit(candidate, allow_unsigned=allow_unsigned, actor=actor, session=session)
            except Failure as refusal:
                await self._note_refusal(source, plan, refusal, actor=actor, session=session)
                raise

    def _examine(self, text: str) -> _Candidate:
        source = parse_source(text, user_home=self._user_home)
        with self._store.staging() as folder:
            release = self._fetchers[source.scheme].fetch(source, folder)
        manifest = _read_manifest(release, source.text)
        content_hash = connector_hash(release.wasm, release.manifest)
        installed = content_hash in self._store.hashes()
        plan = InstallPlan(
            source=source.text,
            hash=content_hash,
            program_bytes=len(release.wasm),
            manifest=manifest,
            signature=judge(self._keyring, manifest.name, release),
            installed=installed,
            warnings=self._warnings(manifest, content_hash),
        )
        return _Candidate(release=release, plan=plan)

    def _warnings(self, manifest: Manifest, content_hash: str) -> tuple[str, ...]:
        twins = [
            stored.hash
            for stored in self._store.list()
            if isinstance(stored, StoredConnector)
            and (stored.manifest.name, stored.manifest.version) == (manifest.name, manifest.version)
            and stored.hash != content_hash
        ]
        return tuple(
            f"{manifest.name} {manifest.version} is installed already with other content ({twin}). A version is"
            " published once; ask the publisher why it changed. Actions go on using the content they name by hash."
            for twin in twins
        )

    async def _require_sound(self, candidate: _Candidate) -> None:
        """Compile the program and compare what it says of itself with what its manifest says."""
        manifest = candidate.plan.manifest
        try:
            prepared = await self._runtime.prepare(
                candidate.release.wasm, manifest_json=manifest.as_json(), memory_bytes=manifest.limits.memory_bytes
            )
        except ConnectorRejected as rejected:
            raise InstallError(
                f"{manifest.name} {manifest.version} cannot be run here: {rejected} Ask its publisher for a build"
                " for the world aileron:connector@0.1.0.",
                failure_class=FailureClass.CONNECTOR_RUNTIME_ERROR,
                boundary=Boundary.RUNTIME,
            ) from rejected
        offered, declared = set(prepared.ops), set(manifest.ops)
        if offered != declared:
            raise InstallError(
                f"The program and the manifest of {manifest.name} {manifest.version} do not name the same operations:"
                f" only the program has {_listed(offered - declared)}; only the manifest has"
                f" {_listed(declared - offered)}. Ask its publisher for a release where they agree.",
                boundary=Boundary.CONNECTOR_MANIFEST,
                details={
                    "only_in_program": sorted(offered - declared),
                    "only_in_manifest": sorted(declared - offered),
                },
            )

    async def _commit(
        self, candidate: _Candidate, *, allow_unsigned: bool, actor: Principal, session: str | None
    ) -> InstallReport:
        plan = candidate.plan
        record = InstallRecord(
            source=plan.source,
            signature=plan.signature.state,
            key_id=plan.signature.key_id,
            allow_unsigned=allow_unsigned,
            installed_ms=self._clock.now_ms(),
            actor=str(actor),
            session=session,
        )

        def event(kind: str, payload: dict[str, Any]) -> AuditEvent:
            return AuditEvent(
                type=kind, session=session, actor=actor, connector=str(plan.manifest.name), payload=payload
            )

        # The consent is durable before the connector is there; without the second event it does not stay.
        await self._audit.append(
            event(
                EventType.CONSENT_GRANTED, {Attr.CONSENT_KIND: "connector.install", **_consented(plan, allow_unsigned)}
            )
        )
        _, added = await self._off_loop(lambda: self._store.publish(candidate.release, record))
        try:
            await self._audit.append(event(EventType.CONNECTOR_INSTALLED, {**_named(plan), Attr.CONNECTOR_NEW: added}))
        except Failure:
            if added:
                await self._off_loop(lambda: self._store.remove(plan.hash))
            raise
        return InstallReport(plan=plan, already_installed=not added)

    async def _note_refusal(
        self, source: str, plan: InstallPlan | None, refusal: Failure, *, actor: Principal, session: str | None
    ) -> None:
        payload = {
            Attr.CONNECTOR_SOURCE: visible(source[:4096]),
            Attr.FAILURE_MESSAGE: visible(refusal.message),
        }
        if plan is not None:
            payload |= _named(plan)
        # A log that cannot be written refuses the install by itself; the first reason is the one to tell.
        with contextlib.suppress(Failure):
            await self._audit.append(
                AuditEvent(
                    type=EventType.CONNECTOR_INSTALL_REFUSED,
                    session=session,
                    actor=actor,
                    connector=None if plan is None else str(plan.manifest.name),
                    failure_class=refusal.failure_class.value,
                    payload=payload,
                )
            )

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _read_manifest(release: Release, source: str) -> Manifest:
    file = f"{source}/{MANIFEST_NAME}"
    try:
        return parse_manifest(release.manifest.decode(), file=file)
    except UnicodeDecodeError as error:
        raise InstallError(f"{file} is not UTF-8 text; write it in UTF-8.") from error
    except DocumentError as error:
        raise InstallError(
            str(error),
            boundary=Boundary.CONNECTOR_MANIFEST,
            details={"file": error.file, "line": error.line, "problem": error.problem, "remedy": error.remedy},
        ) from error


def _require_consent(plan: InstallPlan, *, consent: bool, expected_hash: str | None) -> None:
    if expected_hash is not None and expected_hash != plan.hash:
        raise InstallError(
            f"The source changed after it was shown: what was agreed to has the hash {expected_hash}, what is there"
            f" now has {plan.hash}. Look at it again before you install it.",
            failure_class=FailureClass.HASH_MISMATCH,
            details={"expected": expected_hash, "found": plan.hash},
        )
    if not consent:
        raise InstallError(
            f"Installing {plan.manifest.name} {plan.manifest.version} needs a person's consent; look at what it may do"
            " and agree to it.",
            failure_class=FailureClass.APPROVAL_DENIED,
            details={"plan": plan.as_json()},
        )


def _named(plan: InstallPlan) -> dict[str, Any]:
    return {
        Attr.CONNECTOR_FQN: str(plan.manifest.name),
        Attr.CONNECTOR_VERSION: str(plan.manifest.version),
        Attr.CONNECTOR_HASH: plan.hash,
        Attr.CONNECTOR_SOURCE: plan.source,
        Attr.CONNECTOR_SIGNATURE: plan.signature.state.value,
        Attr.CONNECTOR_KEY_ID: plan.signature.key_id,
    }


def _consented(plan: InstallPlan, allow_unsigned: bool) -> dict[str, Any]:
    shown = plan.as_json()
    return {
        **_named(plan),
        Attr.CONSENT_ALLOW_UNSIGNED: allow_unsigned,
        Attr.CONSENT_HOSTS: shown["hosts"],
        Attr.CONSENT_CREDENTIAL: shown["credential"],
        Attr.CONSENT_OPS: [
            {"name": op["name"], "capability": op["capability"], "idempotent": op["idempotent"]} for op in shown["ops"]
        ],
        Attr.CONSENT_LIMITS: shown["limits"],
    }


def _listed(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "nothing more"
