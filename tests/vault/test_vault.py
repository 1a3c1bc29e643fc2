"""The vault as a service: its states, its idle lock, one change at a time, and nothing lost when a caller goes away."""

import asyncio
import base64
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemon.core.failures import Boundary, FailureClass
from daemon.vault.crypto import KdfCost
from daemon.vault.errors import (
    EntryNotFound,
    EntryRefused,
    PassphraseRejected,
    VaultAbsent,
    VaultExists,
    VaultLocked,
    VaultUnavailable,
    WrongPassphrase,
)
from daemon.vault.vault import Vault

PASSPHRASE = "correct horse battery"
SENTINEL = "SENTINEL-8f1c2d7a"


async def test_a_vault_goes_from_absent_to_unlocked_to_locked_and_back(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault()
    assert vault.state == "absent"
    assert vault.list() == ()
    with pytest.raises(VaultAbsent, match="aileron vault init"):
        await vault.unlock(PASSPHRASE)
    with pytest.raises(VaultAbsent):
        vault.get("a")
    await vault.create(PASSPHRASE)
    assert vault.state == "unlocked"
    with pytest.raises(VaultExists):
        await vault.create(PASSPHRASE)
    await vault.put("a", kind="secret", value=b"x")
    await vault.lock()
    assert vault.state == "locked"
    with pytest.raises(VaultLocked) as caught:
        vault.get("a")
    assert (caught.value.failure_class, caught.value.boundary) == (FailureClass.VAULT_LOCKED, Boundary.USER)
    assert "run: aileron vault unlock" in caught.value.message
    for change in (vault.put("b", kind="secret", value=b"x"), vault.remove("a")):
        with pytest.raises(VaultLocked):
            await change
    await vault.unlock(PASSPHRASE)
    assert vault.get("a") == b"x"
    await vault.close()


async def test_names_and_kinds_are_readable_while_locked(vault: Vault, clock: Any) -> None:
    await vault.put("npm", kind="secret", value=b"x", metadata={"note": "ci", "n": [1, 2.5, None]})
    unlocked = vault.list()
    await vault.lock()
    assert vault.list() == unlocked
    (info,) = unlocked
    assert (info.name, info.kind, info.version, info.created_ms) == ("npm", "secret", 2, clock.now_ms())
    assert info.metadata == {"note": "ci", "n": [1, 2.5, None]}


async def test_a_value_can_be_compared_while_unlocked_and_only_with_an_entry_of_its_kind(vault: Vault) -> None:
    await vault.put("npm", kind="secret", value=b"right")
    assert vault.holds("npm", kind="secret", value=b"right")
    for name, kind, value in (
        ("npm", "secret", b"righ"),
        ("npm", "secret", b"wrong"),
        ("npm", "secret", b""),
        ("npm", "oauth2", b"right"),
        ("other", "secret", b"right"),
    ):
        assert not vault.holds(name, kind=kind, value=value)
    await vault.lock()
    with pytest.raises(VaultLocked):
        vault.holds("npm", kind="secret", value=b"right")


async def test_a_wrong_passphrase_opens_nothing_and_changes_nothing(vault: Vault) -> None:
    before = vault.path.read_bytes()
    with pytest.raises(WrongPassphrase, match="nothing was changed"):
        await vault.unlock("wrong passphrase")
    assert vault.state == "unlocked"
    await vault.lock()
    for wrong in ("", "correct horse batterY", PASSPHRASE + "\n", "\ud800"):
        with pytest.raises(WrongPassphrase):
            await vault.unlock(wrong)
    assert vault.state == "locked"
    assert vault.path.read_bytes() == before


async def test_the_same_words_in_another_unicode_form_unlock(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault()
    await vault.create("caf\u00e9 \u00e0 la cr\u00e8me")
    await vault.unlock("cafe\u0301 a\u0300 la cre\u0300me")
    await vault.close()


async def test_a_short_passphrase_makes_no_vault(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault()
    with pytest.raises(PassphraseRejected):
        await vault.create("short")
    assert vault.state == "absent"
    await vault.close()


@pytest.mark.parametrize("locked", [True, False])
async def test_changing_the_passphrase_rewraps_the_key_and_touches_no_entry(vault: Vault, locked: bool) -> None:
    await vault.put("a", kind="secret", value=b"x")
    before = json.loads(vault.path.read_bytes())
    if locked:
        await vault.lock()
    with pytest.raises(WrongPassphrase):
        await vault.change_passphrase("not the old one", "the new passphrase")
    with pytest.raises(PassphraseRejected):
        await vault.change_passphrase(PASSPHRASE, "short")
    await vault.change_passphrase(PASSPHRASE, "the new passphrase")
    assert vault.state == ("locked" if locked else "unlocked")
    after = json.loads(vault.path.read_bytes())
    assert after["entries"] == before["entries"]
    assert after["wrapped_key"] != before["wrapped_key"]
    assert after["kdf"]["salt"] != before["kdf"]["salt"]
    if not locked:
        assert vault.get("a") == b"x"
        await vault.put("b", kind="secret", value=b"y")
    await vault.lock()
    with pytest.raises(WrongPassphrase):
        await vault.unlock(PASSPHRASE)
    await vault.unlock("the new passphrase")
    assert vault.get("a") == b"x"


async def test_changing_the_passphrase_brings_an_old_file_to_the_configured_cost(
    vault: Vault, new_vault: Callable[..., Vault]
) -> None:
    dearer = KdfCost(iterations=2, memory_kib=19 * 1024, lanes=1)
    await vault.change_passphrase(PASSPHRASE, "new passphrase")
    await vault.lock()
    other = new_vault(kdf=dearer, path=vault.path.parent / "other.json")
    await other.create(PASSPHRASE)
    await other.close()
    stronger = new_vault(kdf=KdfCost(iterations=3, memory_kib=19 * 1024, lanes=1), path=other.path)
    await stronger.change_passphrase(PASSPHRASE, PASSPHRASE)
    assert json.loads(other.path.read_bytes())["kdf"]["iterations"] == 3
    await stronger.close()


async def test_versions_only_grow_also_after_a_removal(vault: Vault) -> None:
    versions = [(await vault.put("a", kind="secret", value=b"1")).version]
    versions.append((await vault.put("a", kind="secret", value=b"2")).version)
    await vault.remove("a")
    await vault.lock()
    await vault.unlock(PASSPHRASE)
    versions.append((await vault.put("a", kind="secret", value=b"3")).version)
    assert versions == sorted(set(versions))


async def test_every_write_takes_a_fresh_nonce(vault: Vault) -> None:
    seen = set()
    for _ in range(20):
        await vault.put("a", kind="secret", value=b"same")
        seen.add(json.loads(vault.path.read_bytes())["entries"]["a"]["nonce"])
    assert len(seen) == 20


async def test_the_file_tells_of_a_value_only_its_length_in_buckets(vault: Vault) -> None:
    await vault.put("a", kind="secret", value=b"x" * 16)
    await vault.put("b", kind="secret", value=b"y" * 60)
    entries = json.loads(vault.path.read_bytes())["entries"]
    assert len(entries["a"]["ciphertext"]) == len(entries["b"]["ciphertext"])


async def test_replacing_a_value_keeps_what_was_said_about_it(vault: Vault, clock: Any) -> None:
    first = await vault.put("a", kind="secret", value=b"1", metadata={"note": "n"})
    clock.move(5)
    second = await vault.put("a", kind="secret", value=b"2")
    assert (second.created_ms, second.metadata) == (first.created_ms, {"note": "n"})
    assert second.updated_ms == first.updated_ms + 5000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": b""}, "empty"),
        ({"value": b"x" * 65537}, "the most is 65536"),
        ({"kind": "password"}, "kinds are"),
        ({"kind": "api_key"}, "api_key/<service>/<identity>"),
        ({"metadata": {"a": float("nan")}}, "metadata cannot be kept"),
        ({"metadata": {"a": object()}}, "metadata cannot be kept"),
        ({"metadata": {"a": "x" * 70000}}, "the most is"),
    ],
)
async def test_what_breaks_a_rule_is_refused_and_nothing_is_written(
    vault: Vault, change: dict[str, Any], says: str
) -> None:
    before = vault.path.read_bytes()
    with pytest.raises(EntryRefused, match=says):
        await vault.put("a", **({"kind": "secret", "value": b"x"} | change))
    assert vault.path.read_bytes() == before


async def test_an_entry_is_not_replaced_or_removed_as_another_kind(vault: Vault) -> None:
    await vault.put("api_key/slack/default", kind="api_key", value=b"x")
    with pytest.raises(EntryRefused):
        await vault.put("api_key/slack/default", kind="secret", value=b"x")
    with pytest.raises(EntryNotFound):
        await vault.remove("api_key/slack/default", kind="secret")
    with pytest.raises(EntryNotFound):
        await vault.remove("nothing")
    await vault.remove("api_key/slack/default", kind="api_key")
    assert vault.list() == ()


async def test_what_a_caller_does_to_metadata_it_was_given_stays_with_the_caller(vault: Vault) -> None:
    given: dict[str, Any] = {"hosts": ["a"]}
    await vault.put("a", kind="secret", value=b"x", metadata=given)
    given["hosts"].append("b")
    vault.list()[0].metadata["hosts"].append("c")
    assert vault.list()[0].metadata == {"hosts": ["a"]}


async def test_a_vault_that_is_not_used_locks_itself_and_says_so_once(vault: Vault, clock: Any) -> None:
    await vault.put("a", kind="secret", value=b"x")
    assert vault.locks_at_ms == clock.now_ms() + 900_000
    clock.move(899)
    assert vault.seconds_until_idle_lock() == pytest.approx(1)
    assert not vault.lock_if_idle()
    vault.get("a")
    assert vault.seconds_until_idle_lock() == 900
    clock.move(900)
    assert vault.state == "locked"
    with pytest.raises(VaultLocked):
        vault.get("a")
    assert vault.seconds_until_idle_lock() is None
    assert vault.locks_at_ms is None
    assert vault.lock_if_idle()
    assert not vault.lock_if_idle()


async def test_every_way_of_using_an_idle_vault_finds_it_locked(vault: Vault, clock: Any) -> None:
    for use in (
        lambda: vault.put("a", kind="secret", value=b"x"),
        lambda: vault.remove("a"),
        lambda: vault.edit(lambda draft: draft.entries),
    ):
        await vault.unlock(PASSPHRASE)
        clock.move(900)
        with pytest.raises(VaultLocked):
            await use()


async def test_a_night_asleep_counts_as_idle_though_the_steady_clock_stood_still(vault: Vault, clock: Any) -> None:
    clock.wall_ms += 8 * 3600 * 1000
    assert vault.lock_if_idle()
    await vault.unlock(PASSPHRASE)
    clock.wall_ms -= 24 * 3600 * 1000
    assert vault.state == "unlocked"
    clock.steady += 900
    assert vault.state == "locked"


async def test_looking_at_the_list_does_not_keep_the_vault_open(vault: Vault, clock: Any) -> None:
    clock.move(600)
    vault.list()
    clock.move(300)
    assert vault.lock_if_idle()


async def test_with_no_idle_time_it_stays_open(new_vault: Callable[..., Vault], clock: Any) -> None:
    vault = new_vault(idle_seconds=0)
    await vault.create(PASSPHRASE)
    clock.move(10**6)
    assert vault.state == "unlocked"
    assert vault.locks_at_ms is None
    await vault.close()


async def test_locking_wipes_the_keys_in_memory(vault: Vault) -> None:
    assert vault._opened is not None
    keys = vault._opened.keys
    data_key, mac_key = keys._data_key, keys._mac_key
    assert any(data_key)
    await vault.lock()
    assert not any(data_key)
    assert not any(mac_key)
    assert vault._opened is None
    assert "wiped" in repr(keys)


async def test_fifty_changes_at_once_are_all_kept(vault: Vault) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(vault.put(f"s{number}", kind="secret", value=str(number).encode()))
    await vault.lock()
    await vault.unlock(PASSPHRASE)
    assert {entry.name: vault.get(entry.name) for entry in vault.list()} == {
        f"s{number}": str(number).encode() for number in range(50)
    }


async def test_a_change_whose_caller_goes_away_is_finished_and_the_vault_goes_on(vault: Vault) -> None:
    for number in range(20):
        task = asyncio.ensure_future(vault.put(f"s{number}", kind="secret", value=b"x"))
        await asyncio.sleep(0)
        await asyncio.sleep(0.0002 * number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert vault.state == "unlocked"
    await vault.put("last", kind="secret", value=b"x")
    held = {entry.name for entry in vault.list()}
    await vault.unlock(PASSPHRASE)
    assert {entry.name for entry in vault.list()} == held


async def test_an_idle_lock_never_lands_in_the_middle_of_a_change(vault: Vault, clock: Any) -> None:
    change = asyncio.ensure_future(vault.put("a", kind="secret", value=b"x"))
    await asyncio.sleep(0)
    clock.move(10_000)
    locked = vault.lock_if_idle()
    await change
    assert not locked
    assert vault.get("a") == b"x"


async def test_deriving_the_key_does_not_hold_up_the_event_loop(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault(kdf=KdfCost())
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    ticking = asyncio.ensure_future(tick())
    started = time.perf_counter()
    await vault.create(PASSPHRASE)
    took = time.perf_counter() - started
    ticking.cancel()
    await vault.close()
    assert longest < took / 2


async def test_closing_leaves_no_thread(new_vault: Callable[..., Vault]) -> None:
    vault = new_vault()
    await vault.create(PASSPHRASE)
    await vault.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vault")]
    with pytest.raises(VaultLocked):
        vault.get("a")
    with pytest.raises(VaultUnavailable, match="closed"):
        await vault.unlock(PASSPHRASE)


async def test_a_value_is_nowhere_in_the_file_or_in_a_representation(vault: Vault) -> None:
    await vault.put("a", kind="secret", value=SENTINEL.encode())
    raw = vault.path.read_bytes()
    for form in (SENTINEL, SENTINEL.encode().hex(), base64.b64encode(SENTINEL.encode()).decode()):
        assert form.encode() not in raw
        for shown in (vault, vault.list(), vault._opened, vault.contents, vault.__dict__):
            assert form not in repr(shown)
            assert form not in str(shown)
    assert PASSPHRASE.encode() not in raw


class VaultMachine(RuleBasedStateMachine):
    """Any order of changes, locks and restarts gives what a plain dict would."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"vault-machine-{os.getpid()}-{id(self)}"
        self.model: dict[str, bytes] = {}
        self.passphrase = PASSPHRASE
        self.highest = 0

    @initialize()
    def create(self) -> None:
        self.vault = self.service()
        self.runner.run(self.vault.create(self.passphrase))

    def service(self) -> Vault:
        return Vault(
            path=self.folder / "vault.json",
            clock=_StillClock(),
            idle_seconds=0,
            entropy=os.urandom,
            kdf=KdfCost(1, 8, 1),
        )

    @precondition(lambda self: self.vault.state == "unlocked")
    @rule(name=st.sampled_from("abcd"), value=st.binary(min_size=1, max_size=200))
    def put(self, name: str, value: bytes) -> None:
        info = self.runner.run(self.vault.put(name, kind="secret", value=value))
        assert info.version > self.highest
        self.highest = info.version
        self.model[name] = value

    @precondition(lambda self: self.vault.state == "unlocked")
    @rule(name=st.sampled_from("abcd"))
    def remove(self, name: str) -> None:
        if name in self.model:
            self.runner.run(self.vault.remove(name))
            del self.model[name]
        else:
            with pytest.raises(EntryNotFound):
                self.runner.run(self.vault.remove(name))

    @rule()
    def lock(self) -> None:
        self.runner.run(self.vault.lock())

    @rule()
    def unlock(self) -> None:
        self.runner.run(self.vault.unlock(self.passphrase))

    @rule()
    def restart(self) -> None:
        self.runner.run(self.vault.close())
        self.vault = self.service()

    @rule(new=st.text(st.characters(categories=["L", "N"]), min_size=20, max_size=30))
    def change_passphrase(self, new: str) -> None:
        self.runner.run(self.vault.change_passphrase(self.passphrase, new))
        self.passphrase = new

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert [entry.name for entry in self.vault.list()] == sorted(self.model)
        if self.vault.state == "unlocked":
            assert {name: self.vault.get(name) for name in self.model} == self.model

    def teardown(self) -> None:
        if hasattr(self, "vault"):
            self.runner.run(self.vault.close())
            self.vault.path.unlink()
            self.folder.rmdir()
        self.runner.close()


class _StillClock:
    def now_ms(self) -> int:
        return 1

    def monotonic(self) -> float:
        return 1.0


TestVaultMachine = VaultMachine.TestCase
TestVaultMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
