"""Puts the room together: the file in its newest shape, the engine that writes it, the reader beside it."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from daemon.db.engine import open_engine
from daemon.db.migration import migrate
from daemon.db.reader import Reader


@dataclass(frozen=True, slots=True)
class Database:
    """What this room offers."""

    engine: Engine
    reader: Reader

    async def close(self) -> None:
        """Finish what is being read, and close the file."""
        await self.reader.close()
        self.engine.dispose()


def build(path: Path, *, backups: Path, now_ms: int) -> Database:
    """Bring the file up to date, with a copy of the old one kept, and open it. Raises DatabaseError."""
    migrate(path, backups=backups, now_ms=now_ms)
    engine = open_engine(path)
    return Database(engine, Reader(engine))
