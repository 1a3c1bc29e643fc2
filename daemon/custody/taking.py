"""The daemon's part of a backup: the log put aside as it was at one moment, while everything goes on."""

import asyncio
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.audit.at_rest import AtRest
from daemon.audit.events import AuditEvent
from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, rfc3339
from daemon.base.files import write_new
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.named_errors import in_words
from daemon.core.principal import Principal
from daemon.core.vocabulary import EventType
from daemon.custody.manifest import About
from daemon.db.snapshot import Snapshot
from daemon.version import VERSION

_PREFIX = "snapshot-"
_OLD_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The log, put aside for whoever packs it."""

    folder: Path
    about: About

    def as_json(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {"folder": str(self.folder), "about": self.about.as_json()}


class Taking:
    """Puts the log aside, in folders below the one of copies that the command line packs and removes."""

    def __init__(self, *, audit: AuditLog, database: Path, backups: Path, clock: Clock) -> None:
        self._audit = audit
        self._database = database
        self._backups = backups
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="backup")

    def clear(self, *, older_than_ms: int = 0) -> None:
        """Remove what killed commands have left: all of it at a start, when nobody packs; else what is old."""
        for folder in self._backups.glob(f"{_PREFIX}*"):
            with suppress(FileNotFoundError):
                if self._clock.now_ms() - folder.stat().st_mtime_ns // 1_000_000 >= older_than_ms:
                    shutil.rmtree(folder, ignore_errors=True)

    async def take(self, *, actor: Principal, session: str | None) -> Taken:
        """Write down that a copy of everything is taken, then put the log aside with that in it; raises Failure."""
        await self._audit.append(AuditEvent(type=EventType.HOME_BACKED_UP, session=session, actor=actor, payload={}))
        rest, snapshot = await self._audit.at_rest(lambda rest: (rest, Snapshot(self._database)))
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._put_aside, rest, snapshot)

    def close(self) -> None:
        """Finish what is being copied."""
        self._thread.shutdown(wait=True)

    def _put_aside(self, rest: AtRest, snapshot: Snapshot) -> Taken:
        self.clear(older_than_ms=_OLD_MS)
        folder = self._backups / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            folder.mkdir(mode=0o700)
            snapshot.copy_to(folder / self._database.name)
            write_new(folder / "audit.seal", rest.seal)
            write_new(folder / "audit.running", rest.running)
            about = About(
                version=VERSION,
                revision=snapshot.revision(),
                made_at=rfc3339(self._clock.now_ms()),
                head_seq=rest.head.seq,
                head_hash=rest.head.hash,
            )
        except OSError as problem:
            shutil.rmtree(folder, ignore_errors=True)
            raise Failure(
                FailureClass.INTERNAL_ERROR,
                f"The log could not be copied for a backup ({in_words(problem)}). Make room on the disk of the home.",
                boundary=Boundary.USER,
            ) from problem
        finally:
            snapshot.close()
        return Taken(folder=folder, about=about)
