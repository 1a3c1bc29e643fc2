"""An unlocked vault in memory: its keys, what it holds, and how a file becomes one and is sealed again."""

from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from daemon.base.clock import Entropy
from daemon.vault.crypto import (
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    KdfCost,
    NotAuthentic,
    entry_data,
    file_mac,
    is_below_floor,
    mac_key,
    open_sealed,
    pad,
    same_mac,
    seal,
    unpad,
    unwrap_key,
    wipe,
    wrap_key,
)
from daemon.vault.document import Contents, KeyHeader, SealedEntry, VaultDocument, covered_text
from daemon.vault.errors import VaultDamaged, WrongPassphrase
from daemon.vault.file import Stamp
from daemon.vault.passphrase import passphrase_bytes, wrong_passphrase_message


class Keys:
    """The data key and what is derived from it; useless after wiping."""

    __slots__ = ("_cipher", "_data_key", "_mac_key", "derived")

    def __init__(self, data_key: bytearray) -> None:
        self._data_key = data_key
        self._mac_key = mac_key(data_key)
        self._cipher: AESGCM | None = AESGCM(data_key)
        self.derived: dict[Any, Any] = {}
        """What was worked out from values and may be kept as long as the keys are held, and no longer."""

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return f"Keys({'wiped' if self._cipher is None else 'held'})"

    def seal_entry(self, value: bytes, *, name: str, kind: str, version: int, nonce: bytes) -> bytes:
        """Encrypt a value for one entry and one version of it."""
        return seal(self._live, pad(value), nonce=nonce, bound_to=entry_data(name=name, kind=kind, version=version))

    def open_entry(self, entry: SealedEntry) -> bytes:
        """Decrypt an entry's value; raises NotAuthentic."""
        bound_to = entry_data(name=entry.name, kind=entry.kind, version=entry.version)
        return unpad(open_sealed(self._live, entry.ciphertext, nonce=entry.nonce, bound_to=bound_to))

    def mac(self, header: KeyHeader, contents: Contents) -> str:
        """Compute the file's MAC."""
        return file_mac(self._mac_key, covered_text(header, contents))

    def wrap(self, passphrase: str, *, cost: KdfCost, entropy: Entropy) -> KeyHeader:
        """Wrap the data key under a passphrase, with a fresh salt."""
        salt, nonce = entropy(SALT_BYTES), entropy(NONCE_BYTES)
        wrapped = wrap_key(self._data_key, passphrase=passphrase_bytes(passphrase), salt=salt, cost=cost, nonce=nonce)
        return KeyHeader(cost, salt, nonce, wrapped)

    def wipe(self) -> None:
        """Overwrite the keys and drop the cipher."""
        wipe(self._data_key)
        wipe(self._mac_key)
        self._cipher = None
        self.derived.clear()

    @property
    def _live(self) -> AESGCM:
        if self._cipher is None:
            raise NotAuthentic("the keys were wiped")
        return self._cipher


@dataclass(frozen=True, slots=True)
class OpenedVault:
    """The keys, the contents, and the stamp of the file they came from or went to."""

    header: KeyHeader
    contents: Contents
    keys: Keys
    stamp: Stamp | None

    def sealed(self) -> VaultDocument:
        """Return the document to write."""
        return VaultDocument(self.header, self.contents, self.keys.mac(self.header, self.contents))

    def saved(self, stamp: Stamp) -> "OpenedVault":
        """Return this vault as it stands after a write."""
        return replace(self, stamp=stamp)


def make_vault(passphrase: str, *, cost: KdfCost, entropy: Entropy) -> OpenedVault:
    """Make an empty vault with a fresh data key."""
    keys = Keys(bytearray(entropy(KEY_BYTES)))
    header = keys.wrap(passphrase, cost=cost, entropy=entropy)
    return OpenedVault(header, Contents(revision=1, entries={}, choices={}), keys, None)


def open_document(
    document: VaultDocument, passphrase: str, *, stamp: Stamp, file: str, configured: KdfCost
) -> OpenedVault:
    """Open a vault file with its passphrase and check the whole of it before anything is used.

    Raises WrongPassphrase, or VaultDamaged saying which part does not prove itself.
    """
    header = document.header
    if is_below_floor(header.cost) and header.cost != configured:
        raise VaultDamaged(
            file=file, part="kdf asks for a cost so low that the passphrase could be guessed from the file"
        )
    try:
        data_key = unwrap_key(
            header.wrapped,
            passphrase=passphrase_bytes(passphrase),
            salt=header.salt,
            cost=header.cost,
            nonce=header.nonce,
        )
    except NotAuthentic:
        if document.intact:
            raise WrongPassphrase(wrong_passphrase_message(passphrase)) from None
        raise VaultDamaged(
            file=file, part="its checksum does not match and its key does not open (kdf or wrapped_key)"
        ) from None
    keys = Keys(data_key)
    if not document.intact or not same_mac(keys.mac(header, document.contents), document.mac):
        part = _damaged_part(document, keys)
        keys.wipe()
        raise VaultDamaged(file=file, part=part)
    return OpenedVault(header, document.contents, keys, stamp)


def _damaged_part(document: VaultDocument, keys: Keys) -> str:
    """Name the part that fails its check: an entry that does not open, else the readable parts under the MAC."""
    if same_mac(keys.mac(document.header, document.contents), document.mac):
        return "only its checksum does not match; the entries themselves are whole"
    broken = []
    for entry in document.contents.entries.values():
        try:
            keys.open_entry(entry)
        except NotAuthentic:
            broken.append(entry.name)
    if broken:
        shown = ", ".join(repr(name) for name in broken[:5]) + (" and more" if len(broken) > 5 else "")
        return f"the name, kind, version or value of {shown} is not what was sealed"
    return (
        "each value opens, but the readable part was edited: times, grants to connectors, choices, or an entry was "
        "taken out or put back from an older file"
    )
