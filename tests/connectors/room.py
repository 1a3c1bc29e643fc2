"""The whole room at work for a test: store, keyring, sandbox, network, vault and audit log, all of them real."""

import base64
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from guests import Does, build_guest
from releases import Signer
from services.upstream import Upstream

from daemon.audit.log import AuditLog
from daemon.audit.query import EventFilter, StoredEvent, query_events
from daemon.audit.signing import CheckpointSigner
from daemon.base.clock import IdSource
from daemon.connectors.archive import Release
from daemon.connectors.call import ConnectorCall, ConnectorResult
from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.http.records import NetworkPolicy
from daemon.connectors.keyring import Keyring
from daemon.connectors.service import ConnectorService
from daemon.connectors.store import ConnectorStore
from daemon.connectors.wasm.runtime import WasmRuntime
from daemon.core.account import Account
from daemon.core.action import ConnectorRequirement
from daemon.core.authority import HostPort
from daemon.core.failures import Failure
from daemon.core.fqn import Fqn
from daemon.core.manifest import Credential, Injection
from daemon.core.principal import Means, Principal
from daemon.core.semver import Version
from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.vault.bindings import Bindings
from daemon.vault.crypto import KdfCost
from daemon.vault.values import ApiKey
from daemon.vault.vault import Vault

YOU = Principal.person(Means.CLI)
AGENT = Principal.agent("ses_1")

SECRET = "sentinel-5c1e9a77d0b24f36"
NAME = "github://acme/staged"


class WallClock:
    """The real clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Lines:
    """A structured logger that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, level: int, event: str, /, **fields: Any) -> None:
        self.lines.append({"level": level, "event": event, **fields})


class Room:
    """One home, one upstream, and the services over them."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.log = Lines()
        self.sent: list[str] = []
        self.before_send: Callable[[], Awaitable[None]] = self._mark

    async def open(self) -> "Room":
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        clock = WallClock()
        self.up = await self.stack.enter_async_context(Upstream())
        migrate(home / "aileron.db", backups=home / "backups", now_ms=clock.now_ms())
        self.engine = open_engine(home / "aileron.db")
        self.stack.callback(self.engine.dispose)
        (home / "ca").mkdir()
        self.audit = AuditLog.open(
            engine=self.engine,
            clock=clock,
            ids=IdSource(clock=clock, entropy=os.urandom),
            signer=CheckpointSigner.open(home / "ca" / "audit.key"),
        )
        self.stack.push_async_callback(self.audit.close)
        self.vault = Vault(
            path=home / "vault.json",
            clock=clock,
            idle_seconds=900.0,
            entropy=os.urandom,
            kdf=KdfCost(iterations=1, memory_kib=8, lanes=1),
        )
        self.stack.push_async_callback(self.vault.close)
        await self.vault.create("correct horse battery")
        self.bindings = Bindings(self.vault)
        http = OutboundHttp(
            policy=NetworkPolicy(allow_private=frozenset({HostPort.parse(self.up.host_port)})), clock=clock
        )
        await http.start()
        self.stack.push_async_callback(http.close)
        self.runtime = WasmRuntime(cache_dir=home / "cache", clock=clock, entropy=os.urandom, threads=8)
        self.stack.callback(self.runtime.close)
        self.keyring = Keyring(path=home / "keyring.json", clock=clock)
        self.store = ConnectorStore(home / "store", clock=clock, entropy=os.urandom)
        self.service = ConnectorService(
            store=self.store,
            keyring=self.keyring,
            runtime=self.runtime,
            http=http,
            credentials=self.bindings,
            audit=self.audit,
            clock=clock,
            user_home=self.folder,
            log=self.log,
        )
        await self.service.open()
        self.stack.push_async_callback(self.service.close)
        return self

    async def _mark(self) -> None:
        self.sent.append("before_send")

    def events(self, kind: str = "*") -> list[StoredEvent]:
        """Return the audit events of a type, the oldest first."""
        with self.engine.connect() as connection:
            found = query_events(connection, EventFilter(limit=None))
        return [event for event in found if kind in {"*", event.type}]

    def payload(self, kind: str) -> Any:
        """Return the payload of the one event of a type."""
        (event,) = self.events(kind)
        return json.loads(event.payload)

    def lay_out(
        self,
        ops: Mapping[str, Does],
        *,
        idempotent: bool = True,
        credential: bool = False,
        version: str = "1.0.0",
        signer: Signer | None = None,
        folder: str = "release",
        limits: str = "",
        inputs: str = "",
        declared: Mapping[str, Does] | None = None,
    ) -> Path:
        """Write a release into a folder."""
        text = f"""
[connector]
name = "{NAME}"
version = "{version}"
description = "Staged for a test."
[connector.idempotency]
default = "idempotent"
[capabilities.network]
hosts = ["{self.up.host_port}"]
"""
        if credential:
            text += f"""
[capabilities.credential]
kind = "api_key"
inject = {{ header = "Authorization", format = "Bearer {{secret}}" }}
hosts = ["{self.up.host_port}"]
"""
        if limits:
            text += f"[limits]\n{limits}\n"
        for name in ops if declared is None else declared:
            text += f'[ops.{name}]\ncapability = "all"\nidempotent = {str(idempotent).lower()}\ndescription = "x"\n'
            if inputs:
                text += f"[ops.{name}.inputs]\n{inputs}\n"
        release = Release(wasm=build_guest(ops), manifest=text.encode(), signature=None)
        if signer is not None:
            release = signer.sign(release)
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        (place / "connector.wasm").write_bytes(release.wasm)
        (place / "manifest.toml").write_bytes(release.manifest)
        if release.signature is not None:
            (place / "signature.sig").write_bytes(base64.b64encode(release.signature) + b"\n")
        return place

    async def install(self, source: Path, *, allow_unsigned: bool = True) -> ConnectorRequirement:
        """Look at a release, install what was shown, and pin it."""
        plan = await self.service.inspect_source(str(source))
        await self.service.install(
            str(source),
            allow_unsigned=allow_unsigned,
            consent=True,
            expected_hash=plan.hash,
            actor=YOU,
            session="ses_test",
        )
        return ConnectorRequirement(plan.manifest.name, plan.manifest.version, plan.hash, ("all",))

    async def bind(self, requirement: ConnectorRequirement, secret: str = SECRET) -> None:
        """Give the connector a credential."""
        manifest = await self.service.check(requirement)
        assert manifest.credential is not None
        await self.bindings.setup(connector=requirement.name, credential=manifest.credential, value=ApiKey(secret))

    def account(self, requirement: ConnectorRequirement) -> Account | None:
        """Return the account the connector is bound to."""
        api_key = Credential("api_key", None, Injection("Authorization", "Bearer {secret}"), ())
        return self.bindings.account(requirement.name, api_key)

    async def call(
        self, requirement: ConnectorRequirement, op: str, *, seconds: float = 10.0, **arguments: Any
    ) -> ConnectorResult:
        """Call an operation."""
        return await self.service.call(
            ConnectorCall(
                account=self.account(requirement),
                requirement=requirement,
                op=op,
                arguments=arguments,
                seconds=seconds,
                execution="exe_test",
                session="ses_test",
                actor=AGENT,
                action="staged",
                before_send=self.before_send,
            )
        )

    async def fails(self, requirement: ConnectorRequirement, op: str, **how: Any) -> Failure:
        """Call an operation that must fail, and return how it did."""
        try:
            result = await self.call(requirement, op, **how)
        except Failure as failure:
            return failure
        raise AssertionError(f"the call returned {result.value!r}")


def requirement(
    name: str = NAME, version: str = "1.0.0", content_hash: str = "sha256:" + "0" * 64
) -> ConnectorRequirement:
    """Pin something that may not be there."""
    return ConnectorRequirement(Fqn.parse(name), Version.parse(version), content_hash, ("all",))
