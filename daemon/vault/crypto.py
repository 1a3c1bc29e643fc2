"""The vault's cryptography as functions of values: deriving and wrapping keys, sealing entries, the file's MAC."""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12  # random; AES-GCM's bound for random nonces is 2**32 messages under one key, far above a vault's life
TAG_BYTES = 16
SALT_BYTES = 16
PADDING_BUCKET = 64
_LENGTH_BYTES = 4

_MOST_ITERATIONS = 64
_MOST_MEMORY_KIB = 1024 * 1024
_MOST_LANES = 16
_MOST_WORK_KIB = 4 * 1024 * 1024  # passes times memory: some seconds on a small machine, never minutes


class NotAuthentic(Exception):
    """What was opened is not what was sealed, or the key is not the one it was sealed with."""


@dataclass(frozen=True, slots=True)
class KdfCost:
    """What one guess at the passphrase costs: Argon2id's passes, memory and lanes."""

    iterations: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.lanes < 1 or self.memory_kib < 8 * self.lanes:
            raise ValueError("Argon2id needs at least one pass, one lane, and 8 KiB of memory for each lane")
        mebibytes = self.memory_kib // 1024
        if self.memory_kib > _MOST_MEMORY_KIB:
            raise ValueError(f"it asks for {mebibytes} MiB of memory; at most {_MOST_MEMORY_KIB // 1024} MiB are given")
        if self.iterations > _MOST_ITERATIONS or self.memory_kib * self.iterations > _MOST_WORK_KIB:
            raise ValueError(f"it asks for {self.iterations} passes over {mebibytes} MiB, which could take minutes")
        if self.lanes > _MOST_LANES:
            raise ValueError(f"it asks for {self.lanes} lanes; at most {_MOST_LANES} are given")


FLOOR = KdfCost(iterations=2, memory_kib=19 * 1024, lanes=1)  # OWASP's least Argon2id setting


def is_below_floor(cost: KdfCost) -> bool:
    """Say whether guesses at the passphrase would be cheaper than the least we accept from a file."""
    return cost.iterations < FLOOR.iterations or cost.memory_kib < FLOOR.memory_kib


def derive_key(passphrase: bytes, *, salt: bytes, cost: KdfCost) -> bytearray:
    """Derive the key that wraps the data key; takes some tenths of a second and the memory of the cost."""
    key = bytearray(KEY_BYTES)
    kdf = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    kdf.derive_into(passphrase, key)
    return key


def mac_key(data_key: bytes | bytearray) -> bytearray:
    """Derive the key of the file's MAC from the data key, so that neither is used for two purposes."""
    key = bytearray(KEY_BYTES)
    HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"aileron vault file mac v1").derive_into(data_key, key)
    return key


def file_mac(key: bytes | bytearray, canonical: bytes) -> str:
    """Compute the MAC over the canonical text of everything in the file."""
    return hmac.new(key, canonical, sha256).hexdigest()


def same_mac(left: str, right: str) -> bool:
    """Compare two MACs in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


def associated_data(domain: str, *fields: str | int) -> bytes:
    """Encode fields so that no two different lists of fields give the same bytes: each behind its length."""
    parts = [field.encode() for field in (domain, *(str(field) for field in fields))]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def entry_data(*, name: str, kind: str, version: int) -> bytes:
    """Return what an entry's ciphertext is bound to, so that it opens in no other place."""
    return associated_data("aileron vault entry v1", name, kind, version)


def wrapping_data(*, salt: bytes, cost: KdfCost) -> bytes:
    """Return what the wrapped data key is bound to: how its wrapping key was derived."""
    return associated_data("aileron vault key v1", "argon2id", salt.hex(), cost.iterations, cost.memory_kib, cost.lanes)


def pad(value: bytes) -> bytes:
    """Lengthen a value to a whole number of buckets, so that a ciphertext tells only roughly how long it is."""
    framed = len(value).to_bytes(_LENGTH_BYTES, "big") + value
    return framed + bytes(-len(framed) % PADDING_BUCKET)


def unpad(padded: bytes) -> bytes:
    """Take the value back out of its padding."""
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    value = padded[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(value) != length or pad(value) != padded:
        raise NotAuthentic("the padding is not what sealing makes")
    return value


def seal(cipher: AESGCM, value: bytes, *, nonce: bytes, bound_to: bytes) -> bytes:
    """Encrypt a value and bind it to its associated data; the last 16 bytes are the tag."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    return cipher.encrypt(nonce, value, bound_to)


def open_sealed(cipher: AESGCM, ciphertext: bytes, *, nonce: bytes, bound_to: bytes) -> bytes:
    """Decrypt what seal made, or raise NotAuthentic."""
    if len(nonce) != NONCE_BYTES or len(ciphertext) < TAG_BYTES:
        raise NotAuthentic("the nonce or the ciphertext has a wrong length")
    try:
        return cipher.decrypt(nonce, ciphertext, bound_to)
    except InvalidTag:
        raise NotAuthentic("the tag does not match") from None


def wrap_key(data_key: bytes | bytearray, *, passphrase: bytes, salt: bytes, cost: KdfCost, nonce: bytes) -> bytes:
    """Encrypt the data key under the passphrase."""
    wrapping_key = derive_key(passphrase, salt=salt, cost=cost)
    try:
        return AESGCM(wrapping_key).encrypt(nonce, data_key, wrapping_data(salt=salt, cost=cost))
    finally:
        wipe(wrapping_key)


def unwrap_key(wrapped: bytes, *, passphrase: bytes, salt: bytes, cost: KdfCost, nonce: bytes) -> bytearray:
    """Decrypt the data key, or raise NotAuthentic."""
    wrapping_key = derive_key(passphrase, salt=salt, cost=cost)
    data_key = bytearray(KEY_BYTES)
    try:
        AESGCM(wrapping_key).decrypt_into(nonce, wrapped, wrapping_data(salt=salt, cost=cost), data_key)
    except (InvalidTag, ValueError):
        raise NotAuthentic("the passphrase or the wrapped key is not right") from None
    finally:
        wipe(wrapping_key)
    return data_key


def wipe(secret: bytearray) -> None:
    """Overwrite a secret in memory: best effort, since the interpreter may have copied it."""
    secret[:] = bytes(len(secret))
