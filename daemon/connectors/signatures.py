"""Ed25519 signatures over a release: making them, reading them, checking them, and naming the keys behind them.

A signature covers connector.wasm followed by manifest.toml; signature.sig holds its 64 raw bytes, or them in base64.
It does not name its key, so that whoever checks it tries the keys he trusts.
"""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from daemon.connectors.errors import InstallError, KeyringError
from daemon.core.failures import Boundary, FailureClass

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
_KEY_ID = re.compile(r"^[0-9a-f]{16}$")
_FIELD = 2**255 - 19

# The points of order 1, 2, 4 and 8 (their y coordinates): with such a key anybody can make a signature that verifies.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)


def key_id(public_key: bytes) -> str:
    """Name a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def is_key_id(text: str) -> bool:
    """Say whether a text has the form of a key's name."""
    return _KEY_ID.match(text) is not None


def sign(private_key: Ed25519PrivateKey, wasm: bytes, manifest: bytes) -> bytes:
    """Make the 64 bytes that go into signature.sig."""
    return private_key.sign(wasm + manifest)


def verify(public_key: bytes, signature: bytes, wasm: bytes, manifest: bytes) -> bool:
    """Say whether this key signed these two files."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, wasm + manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def parse_signature(data: bytes) -> bytes:
    """Read signature.sig: 64 raw bytes, or their base64 with any white space at its ends."""
    if len(data) == SIGNATURE_BYTES:
        return data
    decoded = _unbase64(data.strip())
    if decoded is None or len(decoded) != SIGNATURE_BYTES:
        raise InstallError(
            "signature.sig is not an Ed25519 signature; it holds 64 raw bytes, or the same in base64."
            " Ask whoever published the release for a correct one.",
            failure_class=FailureClass.SIGNATURE_FAILURE,
        )
    return decoded


def parse_public_key(text: str) -> bytes:
    """Read a public key from PEM, base64 or hex; weak points of the curve are refused."""
    text = text.strip()
    if text.startswith("-----BEGIN"):
        raw = _from_pem(text)
    elif re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raw = bytes.fromhex(text)
    else:
        raw = _unbase64(text.encode("ascii", errors="replace"))
    if raw is None or len(raw) != PUBLIC_KEY_BYTES:
        raise _bad_key("it is not an Ed25519 public key; give 32 bytes in base64 or hex, or a PEM block")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD:
        raise _bad_key("it is not written in the one canonical form")
    if y in _SMALL_ORDER_Y:
        raise _bad_key("it is a weak point of the curve: anybody could sign for it")
    return raw


def _from_pem(text: str) -> bytes | None:
    try:
        key = load_pem_public_key(text.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm, TypeError):
        return None
    if not isinstance(key, Ed25519PublicKey):
        return None
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _unbase64(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _bad_key(problem: str) -> KeyringError:
    return KeyringError(
        f"This public key cannot be trusted: {problem}.",
        failure_class=FailureClass.INVALID_ARGUMENTS,
        boundary=Boundary.USER,
    )
