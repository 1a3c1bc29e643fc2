"""Digests: what a connector release and a file are known by."""

import hashlib


def connector_hash(wasm: bytes, manifest: bytes) -> str:
    """Return the hash of a connector release: the program followed by its manifest."""
    digest = hashlib.sha256(wasm)
    digest.update(manifest)
    return f"sha256:{digest.hexdigest()}"


def file_hash(content: bytes) -> str:
    """Return the hash of one file's bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
