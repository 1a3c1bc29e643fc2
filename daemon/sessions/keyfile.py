"""The key under which session tokens are signed; it outlives the daemon, so that sessions survive a restart."""

import os
from pathlib import Path

from daemon.base.clock import Entropy
from daemon.core.named_errors import about

_BYTES = 32


def load_key(path: Path, *, entropy: Entropy) -> bytes:
    """Return the key of a file, making the file if there is none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) == _BYTES:
        return key
    # Missing or cut short by a crash: a new key ends every session token there is, which is the safe direction.
    fresh = entropy(_BYTES)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with about(path):
            os.write(descriptor, fresh)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    return fresh
