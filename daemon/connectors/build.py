"""Puts the room together: the store, the keys that count, the guests' runtime, and the way out to services."""

from dataclasses import dataclass
from pathlib import Path

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.faults import FaultPoints
from daemon.base.logging import redact_text
from daemon.connectors.call import CredentialSource
from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.http.records import NetworkPolicy
from daemon.connectors.keyring import Keyring
from daemon.connectors.service import ConnectorService
from daemon.connectors.store import ConnectorStore
from daemon.connectors.wasm.runtime import WasmRuntime


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this room keeps what it has."""

    store: Path
    keyring: Path
    compiled: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestLimits:
    """How many calls may be under way, and how many of them may compute at once (None: as the machine has room)."""

    threads: int
    active: int | None


@dataclass(frozen=True, slots=True)
class Connectors:
    """What this room offers."""

    service: ConnectorService
    keyring: Keyring
    runtime: WasmRuntime
    http: OutboundHttp

    async def close(self) -> None:
        """End the guests first, then their connections."""
        self.runtime.close()
        await self.http.close()
        await self.service.close()


async def build(
    *,
    places: Places,
    network: NetworkPolicy,
    guests: GuestLimits,
    credentials: CredentialSource,
    audit: AuditLog,
    clock: Clock,
    entropy: Entropy,
    faults: FaultPoints,
) -> Connectors:
    """Open the store, and begin to offer what is installed."""
    keyring = Keyring(path=places.keyring, clock=clock)
    runtime = WasmRuntime(
        cache_dir=places.compiled, threads=guests.threads, active=guests.active, clock=clock, entropy=entropy
    )
    http = OutboundHttp(policy=network, clock=clock, entropy=entropy)
    await http.start()
    service = ConnectorService(
        store=ConnectorStore(places.store, clock=clock, entropy=entropy, faults=faults),
        keyring=keyring,
        runtime=runtime,
        http=http,
        credentials=credentials,
        audit=audit,
        clock=clock,
        redact=redact_text,
    )
    await service.open()
    return Connectors(service, keyring, runtime, http)
