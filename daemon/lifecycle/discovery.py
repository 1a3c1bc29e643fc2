"""The file that says where the daemon listens and with which token; readable by its owner only."""

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from daemon.lifecycle.platform import process_identity


class DiscoveryError(Exception):
    """The discovery file must not be trusted; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """A running daemon."""

    pid: int
    identity: str
    control_url: str
    agent_url: str
    token: str
    version: str
    started_at: str
    home: str

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"Discovery(pid={self.pid}, control_url={self.control_url!r})"


def write_discovery(path: Path, found: Discovery) -> None:
    """Put the file in place, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(found), file)
    temporary.replace(path)


def read_discovery(path: Path) -> Discovery | None:
    """Return the running daemon, or None if there is none; a file that a dead daemon left behind counts as none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise DiscoveryError(
            f"{path} could have been written by somebody else, so it is not used. Look at it, then remove it: rm {path}"
        )
    try:
        found = Discovery(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if is_alive(found) else None


def is_alive(found: Discovery) -> bool:
    """Say whether it is still that process, and not another one that got its number."""
    return process_identity(found.pid) == found.identity
