"""A database as it was at one moment, while others go on writing to it."""

import contextlib
import os
import sqlite3
from pathlib import Path


class Snapshot:
    """Holds a read transaction from the moment it is made; the writers do not wait for it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT 1 FROM alembic_version").fetchone()  # it begins with the first look

    def revision(self) -> str:
        """Return which migrations the database has seen."""
        return str(self._connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])

    def copy_to(self, target: Path) -> None:
        """Write it into a new file that only its owner may read, and bring that to the disk; raises OSError."""
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with contextlib.closing(sqlite3.connect(target)) as copy:
                self._connection.backup(copy)
        except sqlite3.Error as problem:
            raise OSError(f"the database cannot be copied: {problem}") from problem

    def close(self) -> None:
        """End the read transaction."""
        self._connection.close()
