"""A disk that fails when told to: a library preloaded into the daemon, so that the failure comes from below SQLite."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_disk.c")
WORDS = ("ENOSPC", "EIO", "EIO-SYNC")
"""What a disk can be told to fail with; the C file says what each means."""


class FailingDisk:
    """Makes writes of matching files fail while it is told to."""

    def __init__(self, folder: Path, *, match: str) -> None:
        self._control = folder / "failing-disk"
        self._match = match

    def environment(self) -> dict[str, str]:
        """Return what a process needs to be subject to this disk."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAILING_DISK_MATCH": self._match,
            "FAILING_DISK_CONTROL": str(self._control),
        }

    def fail(self, word: str) -> None:
        """Let every write fail from now on, or every sync."""
        self._say(word)

    def stall(self) -> None:
        """Let no sync return from now on."""
        self._say("STALL-SYNC")

    def recover(self) -> None:
        """Let writes work again."""
        self._control.unlink(missing_ok=True)

    def _say(self, word: str) -> None:
        # In one move: the library must not read half a word.
        new = self._control.with_suffix(".new")
        new.write_text(word)
        new.replace(self._control)


def _library() -> Path:
    key = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aileron" / "test-libraries"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    library = base / f"failing_disk-{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            built = Path(scratch) / "library.so"
            compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(SOURCE)]
            subprocess.run(compiler, check=True, capture_output=True)
            built.replace(library)
    return library
