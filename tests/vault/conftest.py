"""A vault on disk with a clock that the test moves, and a key derivation cheap enough to run thousands of times."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daemon.vault.crypto import KdfCost
from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"
CHEAP = KdfCost(iterations=1, memory_kib=8, lanes=1)


class MovableClock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.wall_ms = 1_800_000_000_000
        self.steady = 1000.0

    def now_ms(self) -> int:
        """Return the wall time."""
        return self.wall_ms

    def monotonic(self) -> float:
        """Return the steady time."""
        return self.steady

    def move(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_ms += round(seconds * 1000)
        self.steady += seconds


@pytest.fixture
def clock() -> MovableClock:
    """Return a clock the test moves."""
    return MovableClock()


@pytest.fixture
def vault_path(tmp_path: Path) -> Path:
    """Return where the vault is to be."""
    return tmp_path / "home" / "vault.json"


@pytest.fixture
def new_vault(vault_path: Path, clock: MovableClock) -> Callable[..., Vault]:
    """Return a maker of vault services over the same file."""

    def make(**options: object) -> Vault:
        defaults = {
            "path": vault_path,
            "clock": clock,
            "idle_seconds": 900.0,
            "entropy": os.urandom,
            "kdf": CHEAP,
        }
        return Vault(**(defaults | options))  # type: ignore[arg-type]

    return make


@pytest.fixture
async def vault(new_vault: Callable[..., Vault]) -> AsyncIterator[Vault]:
    """Return a fresh vault, unlocked."""
    service = new_vault()
    await service.create(PASSPHRASE)
    yield service
    await service.close()
