"""Digests: what a connector release, a file and an approved call are known by."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.core.account import Account
from daemon.core.canonical import canonical_json


def connector_hash(wasm: bytes, manifest: bytes) -> str:
    """Return the hash of a connector release: the program followed by its manifest."""
    digest = hashlib.sha256(wasm)
    digest.update(manifest)
    return f"sha256:{digest.hexdigest()}"


def file_hash(content: bytes) -> str:
    """Return the hash of one file's bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def approval_digest(
    *,
    session: str | None,
    action_hash: str,
    connector_hashes: Sequence[str],
    accounts: Sequence[Account],
    arguments: Mapping[str, Any],
) -> str:
    """Return the digest an approval is bound to: who asks, for which files, as which accounts, with which arguments."""
    bound = {
        "digest": "aileron-approval-2",
        "session": session,
        "action": action_hash,
        "connectors": list(connector_hashes),
        "accounts": [account.as_json() for account in accounts],
        "arguments": dict(arguments),
    }
    return f"sha256:{hashlib.sha256(canonical_json(bound).encode()).hexdigest()}"
