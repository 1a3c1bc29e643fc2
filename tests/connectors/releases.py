"""Releases, keys and clocks that the tests of this folder stage their cases with."""

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daemon.connectors.archive import Release
from daemon.connectors.record import InstallRecord
from daemon.connectors.signatures import sign
from daemon.connectors.store import ConnectorStore
from daemon.connectors.verdict import SignatureState
from daemon.core.principal import Means, Principal

YOU = Principal.person(Means.CLI)

WASM = b"\0asm\x01\0\0\0"
NOW_MS = 1_900_000_000_000
LATER_MS = 4_000_000_000_000  # later than any file of a test: the store then trusts what a look at its status says


class FixedClock:
    """A clock that is set by hand."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic(self) -> float:
        return self.time_ms / 1000


class Signer:
    """A publisher with a key."""

    def __init__(self, seed: str) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(seed.encode().ljust(32, b".")[:32])
        self.raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = base64.b64encode(self.raw).decode()

    def sign(self, release: Release) -> Release:
        signature = sign(self.private, release.wasm, release.manifest)
        return Release(wasm=release.wasm, manifest=release.manifest, signature=signature)


def manifest_text(name: str = "github://acme/slack", version: str = "1.2.0", description: str = "Posts.") -> str:
    return f"""
[connector]
name = "{name}"
version = "{version}"
description = "{description}"
[connector.idempotency]
default = "idempotent"
[capabilities.network]
hosts = ["slack.example:443"]
[ops.post_message]
capability = "chat:write"
idempotent = false
description = "Posts a message."
[ops.post_message.inputs]
channel = {{ type = "string", required = true, description = "Where." }}
"""


def release(wasm: bytes = WASM, **names: str) -> Release:
    return Release(wasm=wasm, manifest=manifest_text(**names).encode(), signature=None)


def record(state: SignatureState = SignatureState.UNSIGNED, key_id: str | None = None) -> InstallRecord:
    return InstallRecord(
        source="/somewhere",
        signature=state,
        key_id=key_id,
        allow_unsigned=state is not SignatureState.TRUSTED,
        installed_ms=NOW_MS,
        actor=str(YOU),
        session="ses_x",
    )


def open_store(root: Path, now_ms: int = LATER_MS) -> ConnectorStore:
    store = ConnectorStore(root, clock=FixedClock(now_ms), entropy=os.urandom)
    store.open()
    return store
