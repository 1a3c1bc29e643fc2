"""A small home with a real log, and a backup of it, made without a daemon process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.audit_room import AuditRoom, an_event

from daemon.base.clock import SystemClock
from daemon.core.principal import Means, Principal
from daemon.custody.packing import Packed, pack
from daemon.custody.taking import Taking

YOU = Principal.person(Means.CLI)
FILES = {
    "actions/ship.md": b"+++ ship",
    "actions/ship.md.disabled": b"",
    "config.toml": b"[vault]\n",
    "servers.yaml": b"what a later version keeps\n",
    "vault.json": b'{"ciphertext": "..."}',
    "keyring.json": b"{}",
    "store/connectors/sha256/ab/connector.wasm": b"\0asm",
    "attachments/ses_1/abcd": b'"large"',
}
NOT_FILES = {
    "daemon.json": b"token",
    "daemon.lock": b"1\n",
    "ports.json": b"{}",
    "logs/daemon.jsonl": b"log",
    "cache/wasm/compiled": b"native code",
    "ca/session.key": b"k" * 32,
    "store/connectors/staging/half": b"half",
    "workspaces/ses_1/record.json": b"{}",
    "actions/.ship.md.aileron-draft": b"half",
}


def furnish(home: Path) -> None:
    """Put files into a home."""
    for path, data in {**FILES, **NOT_FILES}.items():
        place = home / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o600)
    (home / "store/connectors/sha256/ab/connector.wasm").chmod(0o400)


def contents(home: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of every file below a home."""
    return {
        path.relative_to(home).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.suffix not in {".db-wal", ".db-shm"}
    }


@contextmanager
def taking(room: AuditRoom) -> Iterator[Taking]:
    """Offer the daemon's part of backups of a room."""
    backups = room.path.parent / "backups"
    backups.mkdir(mode=0o700, exist_ok=True)
    made = Taking(audit=room.log, database=room.path, backups=backups, clock=SystemClock())
    try:
        yield made
    finally:
        made.close()


async def back_up(room: AuditRoom, target: Path) -> Packed:
    """Write a backup of the home that a room lies in."""
    with taking(room) as made:
        taken = await made.take(actor=YOU, session=None)
    with target.open("wb") as file:
        packed = pack(file, room.path.parent, taken.folder, taken.about)
    made.clear()
    return packed


async def write_some(room: AuditRoom, count: int) -> None:
    """Write events."""
    for number in range(count):
        await room.log.append(an_event(number))
