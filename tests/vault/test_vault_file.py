"""The vault file on disk: private, replaced whole or not at all, never written over another's change."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.vault.errors import VaultChanged, VaultUnreadable, VaultUnsafe
from daemon.vault.file import VaultFile
from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"


async def test_the_file_is_private_and_so_is_a_folder_made_for_it(vault: Vault) -> None:
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.path.parent.stat().st_mode) == 0o700
    await vault.put("a", kind="secret", value=b"x")
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert [path.name for path in vault.path.parent.iterdir()] == ["vault.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
async def test_a_file_others_may_read_or_write_is_refused_with_the_command_that_helps(vault: Vault, mode: int) -> None:
    await vault.lock()
    vault.path.chmod(mode)
    with pytest.raises(VaultUnsafe, match="chmod 600 "):
        await vault.unlock(PASSPHRASE)
    vault.path.chmod(0o600)
    await vault.unlock(PASSPHRASE)


async def test_a_folder_others_may_write_to_is_refused(vault: Vault) -> None:
    await vault.lock()
    vault.path.parent.chmod(0o777)
    with pytest.raises(VaultUnsafe, match="chmod 700 "):
        await vault.unlock(PASSPHRASE)
    vault.path.parent.chmod(0o700)


async def test_a_symbolic_link_is_not_followed(vault: Vault, tmp_path: Path) -> None:
    await vault.lock()
    elsewhere = tmp_path / "elsewhere.json"
    vault.path.rename(elsewhere)
    vault.path.symlink_to(elsewhere)
    with pytest.raises(VaultUnsafe, match="symbolic link"):
        await vault.unlock(PASSPHRASE)


async def test_a_pipe_in_place_of_the_file_does_not_hang(vault: Vault) -> None:
    await vault.lock()
    vault.path.unlink()
    os.mkfifo(vault.path, 0o600)
    with pytest.raises(VaultUnsafe, match="ordinary file"):
        await vault.unlock(PASSPHRASE)


async def test_a_file_of_another_user_is_refused(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    await vault.lock()
    monkeypatch.setattr(os, "geteuid", lambda: vault.path.stat().st_uid + 1)
    with pytest.raises(VaultUnsafe, match="another user"):
        await vault.unlock(PASSPHRASE)


async def test_a_file_in_place_of_the_folder_is_said_in_words(tmp_path: Path, new_vault: Callable[..., Vault]) -> None:
    (tmp_path / "home").write_text("")
    vault = new_vault()
    with pytest.raises(VaultUnreadable):
        vault.list()
    with pytest.raises(VaultUnreadable):
        await vault.unlock(PASSPHRASE)
    await vault.close()


async def test_a_leftover_of_an_interrupted_write_is_cleaned_and_harms_nothing(vault: Vault) -> None:
    leftover = vault.path.with_name(".vault.json.aileron-draft")
    leftover.write_bytes(b"half a fi")
    await vault.put("a", kind="secret", value=b"x")
    assert not leftover.exists()
    leftover.symlink_to("/etc/hostname")
    await vault.unlock(PASSPHRASE)
    assert not leftover.is_symlink()
    assert vault.get("a") == b"x"


async def test_a_file_changed_underneath_is_not_written_over(vault: Vault, new_vault: Callable[..., Vault]) -> None:
    other = new_vault()
    await other.unlock(PASSPHRASE)
    await other.put("theirs", kind="secret", value=b"theirs")
    before = vault.path.read_bytes()
    with pytest.raises(VaultChanged, match="aileron vault unlock"):
        await vault.put("ours", kind="secret", value=b"ours")
    assert vault.path.read_bytes() == before
    assert vault.state == "locked"
    await vault.unlock(PASSPHRASE)
    assert vault.get("theirs") == b"theirs"
    await vault.put("ours", kind="secret", value=b"ours")
    await other.close()


async def test_a_file_removed_underneath_is_not_made_again(vault: Vault) -> None:
    vault.path.unlink()
    with pytest.raises(VaultChanged):
        await vault.put("a", kind="secret", value=b"x")
    assert vault.state == "absent"


async def test_unlocking_an_unlocked_vault_reads_the_file_again(vault: Vault, new_vault: Callable[..., Vault]) -> None:
    other = new_vault()
    await other.unlock(PASSPHRASE)
    await other.put("theirs", kind="secret", value=b"theirs")
    await vault.unlock(PASSPHRASE)
    assert vault.get("theirs") == b"theirs"
    await other.close()


_FULL_DISK = """
import asyncio, os, resource, sys
from pathlib import Path
from daemon.core.failures import Failure
from daemon.vault.crypto import KdfCost
from daemon.vault.vault import Vault

class Clock:
    def now_ms(self): return 1
    def monotonic(self): return 1.0

async def main():
    path = Path(sys.argv[1])
    vault = Vault(path=path, clock=Clock(), idle_seconds=0, entropy=os.urandom, kdf=KdfCost(1, 8, 1))
    await vault.create("correct horse battery")
    await vault.put("a", kind="secret", value=b"old")
    before = path.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        await vault.put("b", kind="secret", value=b"x" * 30000)
    except Failure as failure:
        print(type(failure).__name__, failure.message)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["vault.json"]
    assert vault.get("a") == b"old" and len(vault.list()) == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await vault.put("b", kind="secret", value=b"x" * 30000)
    await vault.lock()
    await vault.unlock("correct horse battery")
    assert len(vault.get("b")) == 30000
    await vault.close()
    print("recovered")

asyncio.run(main())
"""


def test_when_the_disk_is_full_the_old_file_stands_and_work_goes_on_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path / "home" / "vault.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "VaultWriteFailed The vault was not saved" in done.stdout
    assert "recovered" in done.stdout


def test_a_replacement_needs_the_expected_file(tmp_path: Path) -> None:
    file = VaultFile(path=tmp_path / "vault.json")
    first = file.replace(b"one", expected=None)
    with pytest.raises(VaultChanged):
        file.replace(b"two", expected=None)
    second = file.replace(b"two", expected=first)
    assert file.read() == (b"two", second)
