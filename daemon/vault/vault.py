"""The vault as a service: created, unlocked, used and locked; the one owner of the keys and of the vault file."""

import asyncio
import copy
import functools
import hmac
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from daemon.base.clock import Clock, Entropy
from daemon.base.faults import NO_FAULTS, FaultPoints
from daemon.vault.crypto import NONCE_BYTES, KdfCost, NotAuthentic
from daemon.vault.document import Contents, SealedEntry, VaultDocument, read_document, write_document
from daemon.vault.draft import Draft, find_entry
from daemon.vault.errors import (
    EntryNotFound,
    EntryRefused,
    VaultAbsent,
    VaultDamaged,
    VaultError,
    VaultExists,
    VaultLocked,
    VaultUnavailable,
)
from daemon.vault.file import MOST_BYTES, Stamp, VaultFile, changed
from daemon.vault.opened import OpenedVault, make_vault, open_document
from daemon.vault.passphrase import check_new_passphrase

VaultState = Literal["absent", "locked", "unlocked"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """What may be known of an entry while the vault is locked: everything but the value."""

    name: str
    kind: str
    version: int
    created_ms: int
    updated_ms: int
    metadata: dict[str, Any]


class Vault:
    """One vault file and, while it is unlocked, its keys."""

    def __init__(
        self,
        *,
        path: Path,
        clock: Clock,
        idle_seconds: float,
        entropy: Entropy,
        kdf: KdfCost | None = None,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        """Own the file at the path; idle_seconds of 0 means that it never locks itself."""
        self._file = VaultFile(path=path, faults=faults)
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._entropy = entropy
        self._cost = kdf or KdfCost()
        self._opened: OpenedVault | None = None
        self._closed: tuple[Stamp, VaultDocument] | None = None
        self._used_at = (clock.monotonic(), clock.now_ms())
        self._idle_lock_unreported = False
        self._mutex = asyncio.Lock()
        self._at_work = False
        self._ended = False
        self._when_changed: list[Callable[[], None]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")

    def __repr__(self) -> str:
        """Show the path and the state, and nothing of the contents."""
        return f"Vault(path={str(self.path)!r}, state={self.state!r})"

    @property
    def path(self) -> Path:
        """Return where the vault file is."""
        return self._file.path

    @property
    def state(self) -> VaultState:
        """Say whether there is a vault and whether it can be used."""
        if self._opened is not None:
            return "locked" if self._is_idle() else "unlocked"
        return "locked" if self._file.exists() else "absent"

    @property
    def revision(self) -> int | None:
        """Return the count of changes ever made to the vault, while it is unlocked."""
        return None if self._opened is None else self._opened.contents.revision

    def now_ms(self) -> int:
        """Return the time by the vault's clock."""
        return self._clock.now_ms()

    @property
    def contents(self) -> Contents:
        """Return entries and choices as they were last proved; raises VaultLocked. The same object until a change."""
        return self._use().contents

    @property
    def derived(self) -> dict[Any, Any]:
        """Return where things worked out from values are kept until the vault is locked; raises VaultLocked."""
        return self._use().keys.derived

    @property
    def locks_at_ms(self) -> int | None:
        """Return when the vault will lock itself if it is not used, or None."""
        seconds = self.seconds_until_idle_lock()
        return None if seconds is None else self._clock.now_ms() + round(seconds * 1000)

    async def create(self, passphrase: str) -> None:
        """Make an empty vault and leave it unlocked."""
        check_new_passphrase(passphrase)
        async with self._mutex:
            if self._file.exists():
                raise VaultExists(
                    f"There is a vault at {self.path} already; it was not touched. To open it: aileron vault unlock"
                )

            def work() -> OpenedVault:
                opened = make_vault(passphrase, cost=self._cost, entropy=self._entropy)
                return opened.saved(self._file.replace(write_document(opened.sealed()), expected=None))

            await self._carry_out(work, self._adopt)

    async def unlock(self, passphrase: str) -> None:
        """Read the file afresh, check the whole of it and hold its keys; also reloads a vault that is unlocked."""
        async with self._mutex:
            await self._carry_out(functools.partial(self._open, passphrase), self._adopt)

    async def lock(self) -> None:
        """Wipe the keys."""
        async with self._mutex:
            self._drop()

    async def change_passphrase(self, old: str, new: str) -> None:
        """Wrap the data key under a new passphrase at the configured cost; the vault stays locked or unlocked."""
        check_new_passphrase(new)
        async with self._mutex:
            held = self._opened

            def work() -> OpenedVault:
                opened = self._open(old)
                try:
                    if held is not None and held.stamp != opened.stamp:
                        raise changed(self.path)
                    renewed = replace(
                        opened,
                        header=opened.keys.wrap(new, cost=self._cost, entropy=self._entropy),
                        contents=replace(opened.contents, revision=opened.contents.revision + 1),
                    )
                    return self._write(renewed)
                except BaseException:
                    opened.keys.wipe()
                    raise

            def finish(opened: OpenedVault) -> None:
                if held is None:
                    opened.keys.wipe()
                else:
                    self._adopt(opened)

            await self._save(work, finish, before=held)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Tell a listener each time the vault was unlocked or what it holds was changed, so that nobody has to ask."""
        self._when_changed.append(listener)

    def list(self) -> tuple[EntryInfo, ...]:
        """Tell the names and kinds of all entries, sorted by name; while locked, as the file says them, unproved."""
        entries = self.readable_contents().entries.values()
        return tuple(_info(entry) for entry in sorted(entries, key=lambda entry: entry.name))

    def readable_contents(self) -> Contents:
        """Return what is readable in any state; while locked it is what the file says, unproved: only for showing."""
        if self._opened is not None:
            return self._opened.contents
        stamp = self._file.stamp()
        if stamp is None:
            return Contents(revision=0, entries={}, choices={})
        if self._closed is None or self._closed[0] != stamp:
            raw, stamp = self._file.read()
            self._closed = (stamp, read_document(raw, file=str(self.path)))
        document = self._closed[1]
        if not document.intact:
            raise VaultDamaged(file=str(self.path), part="its checksum does not match")
        return document.contents

    def get(self, name: str) -> bytes:
        """Decrypt one value; raises VaultLocked, or EntryNotFound."""
        opened = self._use()
        entry = find_entry(opened.contents.entries, name)
        try:
            return opened.keys.open_entry(entry)
        except NotAuthentic:
            raise VaultDamaged(file=str(self.path), part=f"the value of {name!r} is not what was sealed") from None

    def holds(self, name: str, *, kind: str, value: bytes) -> bool:
        """Say whether an entry of this kind has this value, in a time that tells nothing of it; raises VaultLocked."""
        entry = self._use().contents.entries.get(name)
        return entry is not None and entry.kind == kind and hmac.compare_digest(self.get(name), value)

    async def put(self, name: str, *, kind: str, value: bytes, metadata: Mapping[str, Any] | None = None) -> EntryInfo:
        """Add an entry or replace its value; it is on disk when this returns."""
        return _info(await self.edit(lambda draft: draft.put(name, kind=kind, value=value, metadata=metadata)))

    async def remove(self, name: str, *, kind: str | None = None) -> None:
        """Take an entry out, with the choices of it; with a kind, only an entry of that kind."""

        def change(draft: Draft) -> None:
            if kind is not None and draft.entry(name).kind != kind:
                raise EntryNotFound(f"The vault has no {kind} {name!r}; that entry is of another kind.")
            draft.remove(name)

        await self.edit(change)

    async def edit(self, change: Callable[[Draft], T]) -> T:
        """Let a function change a draft and write the result at once; if it raises, nothing happened."""
        async with self._mutex:
            opened = self._use()

            def seal(value: bytes, name: str, kind: str, version: int) -> tuple[bytes, bytes]:
                nonce = self._entropy(NONCE_BYTES)
                return nonce, opened.keys.seal_entry(value, name=name, kind=kind, version=version, nonce=nonce)

            draft = Draft(opened.contents, sealer=seal, now_ms=self._clock.now_ms())
            result = change(draft)
            if draft.changed:
                following = replace(opened, contents=draft.contents())
                await self._save(lambda: self._write(following), self._adopt, before=opened)
            return result

    @property
    def idle_seconds(self) -> float:
        """Return after how long without use the vault locks itself; 0 means never."""
        return self._idle_seconds

    def lock_after(self, idle_seconds: float) -> None:
        """Lock after another time without use from now on; what has passed counts."""
        self._idle_seconds = idle_seconds

    def seconds_until_idle_lock(self) -> float | None:
        """Return how long an unlocked vault stays so without use; None if it is locked or never locks itself."""
        if self._opened is None or not self._idle_seconds:
            return None
        return max(0.0, self._idle_seconds - self._seconds_idle())

    def lock_if_idle(self) -> bool:
        """Lock if it was idle for long enough; True once for every time it locked itself."""
        self._drop_if_idle()
        locked, self._idle_lock_unreported = self._idle_lock_unreported, False
        return locked

    async def close(self) -> None:
        """Lock, and end the room's thread."""
        await self.lock()
        self._ended = True
        self._thread.shutdown(wait=True)

    def _open(self, passphrase: str) -> OpenedVault:
        try:
            raw, stamp = self._file.read()
        except FileNotFoundError:
            raise VaultAbsent from None
        document = read_document(raw, file=str(self.path))
        return open_document(document, passphrase, stamp=stamp, file=str(self.path), configured=self._cost)

    def _write(self, opened: OpenedVault) -> OpenedVault:
        raw = write_document(opened.sealed())
        if len(raw) > MOST_BYTES:
            raise EntryRefused(f"The vault would grow past {MOST_BYTES // 2**20} MiB; remove entries first.")
        return opened.saved(self._file.replace(raw, expected=opened.stamp))

    async def _save(
        self, work: Callable[[], OpenedVault], finish: Callable[[OpenedVault], None], *, before: OpenedVault | None
    ) -> None:
        """Carry out a write; if the file is no longer the one in memory afterwards, lock rather than go on from it."""
        try:
            await self._carry_out(work, finish)
        except VaultError:
            if before is not None and self._file.stamp() != before.stamp:
                self._drop()
            raise

    async def _carry_out(self, work: Callable[[], OpenedVault], finish: Callable[[OpenedVault], None]) -> None:
        """Run work in the room's thread to its end even if the caller is cancelled, so that memory follows the file."""
        if self._ended:
            raise VaultUnavailable("The vault is closed, because the daemon is stopping.")
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        cancelled: asyncio.CancelledError | None = None
        self._at_work = True
        while not future.done():
            try:
                await asyncio.wait({future})
            except asyncio.CancelledError as request:
                cancelled = request
        self._at_work = False
        error = future.exception()
        if isinstance(error, MemoryError):
            error = VaultUnavailable(
                f"There is not enough free memory for the passphrase; {self._cost.memory_kib // 1024} MiB are needed."
            )
        if error is None:
            finish(future.result())
        if cancelled is not None:
            raise cancelled
        if error is not None:
            raise error

    def _adopt(self, opened: OpenedVault) -> None:
        if self._opened is not None and self._opened.keys is not opened.keys:
            self._opened.keys.wipe()
        self._opened = opened
        self._closed = None
        self._idle_lock_unreported = False
        self._touch()
        for listener in self._when_changed:
            listener()

    def _drop(self) -> None:
        if self._opened is not None:
            self._opened.keys.wipe()
        self._opened = None

    def _use(self) -> OpenedVault:
        opened = self._opened
        if opened is None or self._is_idle():
            self._drop_if_idle()
            raise VaultLocked if opened is not None or self._file.exists() else VaultAbsent
        self._touch()
        return opened

    def _touch(self) -> None:
        self._used_at = (self._clock.monotonic(), self._clock.now_ms())

    def _seconds_idle(self) -> float:
        """Return the longer of two clocks' readings: the steady one may stand still while a laptop sleeps."""
        steady, wall_ms = self._used_at
        return max(self._clock.monotonic() - steady, (self._clock.now_ms() - wall_ms) / 1000)

    def _is_idle(self) -> bool:
        return bool(self._idle_seconds) and self._seconds_idle() >= self._idle_seconds

    def _drop_if_idle(self) -> None:
        if self._opened is not None and self._is_idle() and not self._at_work:
            self._drop()
            self._idle_lock_unreported = True


def _info(entry: SealedEntry) -> EntryInfo:
    return EntryInfo(
        entry.name,
        entry.kind,
        entry.version,
        entry.created_ms,
        entry.updated_ms,
        copy.deepcopy(dict(entry.metadata)),
    )
