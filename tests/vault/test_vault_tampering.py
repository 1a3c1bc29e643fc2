"""Whatever is changed in the file is found at unlock, said in words, and never read as something else."""

import asyncio
import json
import os
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.canonical import canonical_json
from daemon.vault.crypto import KdfCost
from daemon.vault.document import read_document
from daemon.vault.errors import VaultDamaged, VaultError, VaultTooNew, VaultUnavailable, WrongPassphrase
from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"
Edit = Callable[[dict[str, Any]], None]


def _write(path: Path, data: dict[str, Any], *, good_checksum: bool = True) -> None:
    """Write an edited file the way a careful attacker would: laid out right and with a matching checksum."""
    if good_checksum:
        data.pop("checksum")
        data["checksum"] = sha256(canonical_json(data).encode()).hexdigest()
    path.write_bytes(json.dumps(data, indent=1, sort_keys=True).encode() + b"\n")


@pytest.fixture
async def filled(vault: Vault) -> Vault:
    """Return a vault with entries, grants and a choice."""
    await vault.put("alpha", kind="secret", value=b"value of alpha")
    await vault.put("beta", kind="secret", value=b"value of beta")
    grants = {"connectors": {"github://acme/slack": ["slack.com:443"]}}
    await vault.put("api_key/slack/default", kind="api_key", value=b'{"key":"k","type":"api_key"}', metadata=grants)
    await vault.edit(lambda draft: draft.choose("github://acme/slack", "api_key/slack/default"))
    return vault


async def _unlock_after(vault: Vault, edit: Edit, **options: bool) -> VaultError:
    await vault.lock()
    data = json.loads(vault.path.read_bytes())
    edit(data)
    _write(vault.path, data, **options)
    with pytest.raises(VaultError) as caught:
        await vault.unlock(PASSPHRASE)
    assert vault.state == "locked"
    return caught.value


def _swap_values(data: dict[str, Any]) -> None:
    first, second = data["entries"]["alpha"], data["entries"]["beta"]
    for key in ("nonce", "ciphertext", "version"):
        first[key], second[key] = second[key], first[key]


def _rename(data: dict[str, Any]) -> None:
    data["entries"]["gamma"] = data["entries"].pop("alpha")


def _set(*path: str, value: Any) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return edit


async def test_two_swapped_entries_do_not_open(filled: Vault) -> None:
    error = await _unlock_after(filled, _swap_values)
    assert isinstance(error, VaultDamaged)
    assert "'alpha', 'beta'" in error.part


async def test_an_entry_moved_to_another_name_does_not_decrypt(filled: Vault) -> None:
    error = await _unlock_after(filled, _rename)
    assert isinstance(error, VaultDamaged)
    assert "'gamma'" in error.part


async def test_a_changed_version_is_found(filled: Vault) -> None:
    error = await _unlock_after(filled, _set("entries", "alpha", "version", value=1))
    assert isinstance(error, VaultDamaged)
    assert "'alpha'" in error.part


async def test_an_entry_rolled_back_to_an_older_one_is_found(filled: Vault) -> None:
    older = json.loads(filled.path.read_bytes())["entries"]["alpha"]
    await filled.put("alpha", kind="secret", value=b"the new value")
    error = await _unlock_after(filled, _set("entries", "alpha", value=older))
    assert isinstance(error, VaultDamaged)
    assert "put back from an older file" in error.part


async def test_a_removed_entry_put_back_is_found(filled: Vault) -> None:
    older = json.loads(filled.path.read_bytes())["entries"]["alpha"]
    await filled.remove("alpha")
    error = await _unlock_after(filled, _set("entries", "alpha", value=older))
    assert isinstance(error, VaultDamaged)


@pytest.mark.parametrize(
    "edit",
    [
        _set(
            "entries",
            "api_key/slack/default",
            "metadata",
            "connectors",
            value={"github://acme/slack": ["slack.com:443", "evil.example:443"]},
        ),
        _set("entries", "api_key/slack/default", "metadata", "connectors", value={"github://evil/slack": []}),
        _set("entries", "alpha", "updated_ms", value=5),
        _set("choices", "github://acme/slack", value="alpha"),
        _set("choices", value={}),
        _set("revision", value=99),
        lambda data: data["entries"].pop("alpha"),
    ],
)
async def test_an_edit_of_the_readable_part_is_found(filled: Vault, edit: Edit) -> None:
    error = await _unlock_after(filled, edit)
    assert isinstance(error, VaultDamaged)
    assert "readable part was edited" in error.part


@pytest.mark.parametrize("good_checksum", [True, False])
async def test_a_cheaper_key_derivation_written_into_the_file_is_refused(filled: Vault, good_checksum: bool) -> None:
    error = await _unlock_after(filled, _set("kdf", "memory_kib", value=16), good_checksum=good_checksum)
    assert isinstance(error, VaultDamaged)
    assert "could be guessed" in error.part


@pytest.mark.parametrize(
    ("key", "value"), [("memory_kib", 64 * 1024 * 1024), ("iterations", 10**9), ("lanes", 255), ("lanes", 0)]
)
async def test_a_ruinous_key_derivation_is_refused_before_it_is_run(filled: Vault, key: str, value: int) -> None:
    async with asyncio.timeout(2):
        error = await _unlock_after(filled, _set("kdf", key, value=value))
    assert isinstance(error, VaultDamaged)
    assert "kdf is refused" in error.part


async def test_a_dearer_key_derivation_written_into_the_file_does_not_open(filled: Vault) -> None:
    error = await _unlock_after(filled, _set("kdf", value=_kdf(filled.path, iterations=2, memory_kib=19456)))
    assert isinstance(error, WrongPassphrase)


def _kdf(path: Path, **changes: int) -> dict[str, Any]:
    kdf: dict[str, Any] = json.loads(path.read_bytes())["kdf"]
    return kdf | changes


async def test_a_vault_made_at_a_cost_below_the_floor_opens_only_where_that_cost_is_configured(
    filled: Vault, new_vault: Callable[..., Vault]
) -> None:
    other = new_vault(kdf=KdfCost(iterations=2, memory_kib=19 * 1024, lanes=1))
    with pytest.raises(VaultDamaged, match="could be guessed"):
        await other.unlock(PASSPHRASE)
    await other.close()


async def test_a_later_format_is_named_as_such(filled: Vault) -> None:
    error = await _unlock_after(filled, _set("version", value=2))
    assert isinstance(error, VaultTooNew)
    assert "Update Aileron" in error.message


async def test_an_accident_to_the_key_is_not_taken_for_a_wrong_passphrase(filled: Vault) -> None:
    salt = "A" * 22 + "=="
    error = await _unlock_after(filled, _set("kdf", "salt", value=salt), good_checksum=False)
    assert isinstance(error, VaultDamaged)
    assert "kdf or wrapped_key" in error.part


async def test_a_damaged_file_is_not_listed_while_locked(filled: Vault) -> None:
    assert len(filled.list()) == 3
    await _unlock_after(filled, _set("entries", "alpha", "created_ms", value=1), good_checksum=False)
    with pytest.raises(VaultDamaged, match="checksum"):
        filled.list()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b"\x00" * 4096,
        b'{"version": ' + b"9" * 5000 + b"}",
        b'{"format": "aileron-vault", "version": 1e999}',
        b'{"format": "aileron-vault", "version": NaN}',
        b'{"format": "aileron-vault", "version": true, "checksum": "\\ud800"}',
    ],
    ids=range(12),
)
async def test_a_file_that_is_something_else_is_damaged_and_not_a_crash(vault: Vault, raw: bytes) -> None:
    await vault.lock()
    vault.path.write_bytes(raw)
    with pytest.raises(VaultDamaged, match="backup"):
        await vault.unlock(PASSPHRASE)
    with pytest.raises(VaultDamaged):
        vault.list()


async def test_the_same_values_laid_out_otherwise_are_found(filled: Vault) -> None:
    await filled.lock()
    filled.path.write_text(json.dumps(json.loads(filled.path.read_bytes())))
    with pytest.raises(VaultDamaged, match="layout"):
        await filled.unlock(PASSPHRASE)


async def test_no_single_changed_byte_anywhere_in_the_file_goes_unnoticed(filled: Vault) -> None:
    await filled.lock()
    good = filled.path.read_bytes()
    chance = random.Random(20261120)
    for place in range(len(good)):
        damaged = bytearray(good)
        damaged[place] ^= chance.randrange(1, 256)
        filled.path.write_bytes(damaged)
        with pytest.raises((VaultDamaged, WrongPassphrase)):
            await filled.unlock(PASSPHRASE)
    filled.path.write_bytes(good)
    await filled.unlock(PASSPHRASE)
    assert filled.get("alpha") == b"value of alpha"


async def test_a_file_cut_short_at_any_place_is_damaged(filled: Vault) -> None:
    await filled.lock()
    good = filled.path.read_bytes()
    for length in range(len(good)):
        filled.path.write_bytes(good[:length])
        with pytest.raises(VaultDamaged):
            await filled.unlock(PASSPHRASE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_value_put_anywhere_into_the_file_is_refused_in_words(filled: Vault, data: st.DataObject) -> None:
    filled_before = filled.path.read_bytes()
    document = json.loads(filled_before)
    table: Any = document
    key = data.draw(st.sampled_from(sorted(table)))
    while isinstance(table[key], dict) and table[key] and data.draw(st.booleans()):
        table = table[key]
        key = data.draw(st.sampled_from(sorted(table)))
    value = data.draw(_JSON)
    same = type(value) is type(table[key]) and value == table[key]
    table[key] = value
    try:
        if key == "checksum" and table is document:
            raise ValueError
        _write(filled.path, document)
    except ValueError:  # what has no canonical form has no checksum either
        _write(filled.path, document, good_checksum=False)
    try:
        if same:
            await filled.unlock(PASSPHRASE)
        else:
            with pytest.raises((VaultUnavailable, WrongPassphrase)):
                await filled.unlock(PASSPHRASE)
    finally:
        filled.path.write_bytes(filled_before)


@given(st.binary(max_size=400))
def test_reading_any_bytes_ends_in_damage_and_never_in_another_error(raw: bytes) -> None:
    with pytest.raises(VaultDamaged):
        read_document(raw, file="vault.json")


async def test_the_data_key_of_another_vault_does_not_serve(filled: Vault, tmp_path: Path, clock: Any) -> None:
    other = Vault(
        path=tmp_path / "other" / "vault.json",
        clock=clock,
        idle_seconds=0,
        entropy=os.urandom,
        kdf=KdfCost(1, 8, 1),
    )
    await other.create(PASSPHRASE)
    theirs = json.loads(other.path.read_bytes())
    await other.close()

    def graft(data: dict[str, Any]) -> None:
        data["kdf"], data["wrapped_key"] = theirs["kdf"], theirs["wrapped_key"]

    assert isinstance(await _unlock_after(filled, graft), VaultDamaged)
