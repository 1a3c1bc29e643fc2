"""Puts the room together: the providers, the connections to them, and the end of what an ended session still sends."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.build import Audit
from daemon.base.clock import Clock
from daemon.core.authority import HostPort
from daemon.core.providers import Provider, Providers
from daemon.gateway.proxy import DenialLog, Gateway, KeySource
from daemon.net.http1.pool import Pool
from daemon.sessions.service import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Outward:
    """How providers are reached."""

    extra_ca_file: Path | None
    allow_private: frozenset[HostPort]
    connect_seconds: float
    header_seconds: float


def build(
    *,
    providers: Iterable[Provider],
    outward: Outward,
    keys: KeySource,
    sessions: Sessions,
    audit: Audit,
    denied: DenialLog,
    clock: Clock,
) -> Gateway:
    """Join the gateway to sessions, whose ends cut what they have under way."""
    gateway = Gateway(
        providers=Providers(providers),
        keys=keys,
        sessions=sessions,
        audit=audit.log,
        repeats=audit.repeats,
        budget=audit.budget,
        pool=Pool(
            extra_ca_file=outward.extra_ca_file,
            connect_seconds=outward.connect_seconds,
            allow_private=outward.allow_private,
        ),
        denied=denied,
        clock=clock,
        header_seconds=outward.header_seconds,
    )
    sessions.on_end(gateway.cut)
    return gateway
