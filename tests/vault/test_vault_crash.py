"""A process killed at any point of a write leaves the old file or the new one, and it opens."""

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"

_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from daemon.vault.crypto import KdfCost
from daemon.vault.vault import Vault

class Clock:
    def now_ms(self): return 1
    def monotonic(self): return 1.0

class KillAt:
    def hit(self, name):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    cost = KdfCost(1, 8, 1)
    vault = Vault(path=Path(sys.argv[1]), clock=Clock(), idle_seconds=0, entropy=os.urandom, kdf=cost, faults=KillAt())
    if sys.argv[3] == "create":
        await vault.create("correct horse battery")
    await vault.unlock("correct horse battery")
    if sys.argv[3] == "put":
        await vault.put("a", kind="secret", value=b"new")
    if sys.argv[3] == "passphrase":
        await vault.change_passphrase("correct horse battery", "another passphrase")

asyncio.run(main())
"""


def _kill(path: object, point: str, what: str) -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, str(path), point, what], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "value"), [("vault.before_replace", b"old"), ("vault.after_replace", b"new")], ids=["before", "after"]
)
async def test_a_put_killed_in_the_middle_leaves_the_old_value_or_the_new(
    vault: Vault, point: str, value: bytes
) -> None:
    await vault.put("a", kind="secret", value=b"old")
    await vault.lock()
    _kill(vault.path, point, "put")
    await vault.unlock(PASSPHRASE)
    assert vault.get("a") == value
    assert [path.name for path in vault.path.parent.iterdir()] == ["vault.json"]
    await vault.put("a", kind="secret", value=b"later")


@pytest.mark.parametrize(
    ("point", "passphrase"),
    [("vault.before_replace", PASSPHRASE), ("vault.after_replace", "another passphrase")],
    ids=["before", "after"],
)
async def test_a_change_of_passphrase_killed_in_the_middle_leaves_one_that_opens(
    vault: Vault, point: str, passphrase: str
) -> None:
    await vault.put("a", kind="secret", value=b"kept")
    await vault.lock()
    _kill(vault.path, point, "passphrase")
    await vault.unlock(passphrase)
    assert vault.get("a") == b"kept"


@pytest.mark.parametrize(
    ("point", "state"), [("vault.before_replace", "absent"), ("vault.after_replace", "locked")], ids=["before", "after"]
)
async def test_a_creation_killed_in_the_middle_leaves_no_vault_or_a_whole_one(
    new_vault: Callable[..., Vault], point: str, state: str
) -> None:
    vault = new_vault()
    _kill(vault.path, point, "create")
    assert vault.state == state
    if state == "absent":
        await vault.create(PASSPHRASE)
    else:
        await vault.unlock(PASSPHRASE)
    assert vault.list() == ()
    await vault.close()
