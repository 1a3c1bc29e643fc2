"""Puts the room together: the vault, and what of it connectors and providers may use."""

from dataclasses import dataclass
from pathlib import Path

from daemon.base.clock import Clock, Entropy
from daemon.base.faults import FaultPoints
from daemon.vault.bindings import Bindings
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Secrets:
    """What this room offers."""

    vault: Vault
    bindings: Bindings

    async def close(self) -> None:
        """Lock the vault, and forget what was open."""
        await self.vault.close()


def build(path: Path, *, idle_seconds: float, clock: Clock, entropy: Entropy, faults: FaultPoints) -> Secrets:
    """Own the file at the path, which need not be there yet; idle_seconds of 0 means that it never locks itself."""
    vault = Vault(path=path, clock=clock, idle_seconds=idle_seconds, entropy=entropy, faults=faults)
    return Secrets(vault, Bindings(vault))
