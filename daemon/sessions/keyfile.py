"""The key under which session tokens are signed; it outlives the daemon, so that sessions survive a restart."""

from pathlib import Path

from daemon.base.clock import Entropy
from daemon.base.files import replace_file

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
    # Missing, or cut short by a crash: with a new key no session token is valid any more, which is safe.
    fresh = entropy(_BYTES)
    replace_file(path, fresh)
    return fresh
