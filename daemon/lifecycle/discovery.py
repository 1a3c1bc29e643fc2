"""The file that says where the daemon listens and with which token; readable by its owner only."""

import contextlib
import errno
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.base.files import replace_file
from daemon.base.platform import Fate, fate_of


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


_NAMES = frozenset(Discovery.__slots__)


def write_discovery(path: Path, found: Discovery) -> None:
    """Put the file in place, whole or not at all."""
    # After a power cut there is no such daemon, and a file that cannot be read counts as none: a sync would be wasted.
    replace_file(path, json.dumps(asdict(found)).encode(), durable=False)


def read_discovery(path: Path) -> Discovery | None:
    """Return the running daemon of the home this file lies in, or None if there is none.

    The file of a dead daemon counts as none. If it cannot be told whether the daemon lives, it is taken to live, and
    a call will show. The file is not removed here but by the next daemon, which holds the lock: between reading and
    removing, it could have become the file of a new daemon.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise _suspicious(path) from problem
        raise
    # What is looked at is the open file, so that it cannot be exchanged between the look and the reading.
    with os.fdopen(descriptor) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise _suspicious(path)
        try:
            found = _parse(json.load(file))
        except (OSError, ValueError):
            return None
    return (
        found if found is not None and _is_of(found, path.parent) and fate_of_daemon(found) is not Fate.GONE else None
    )


def fate_of_daemon(found: Discovery) -> Fate:
    """Say whether it is still that process, and not another one that got its number."""
    return fate_of(found.pid, found.identity)


def _parse(content: Any) -> Discovery | None:
    if not isinstance(content, dict) or set(content) != _NAMES:
        return None
    texts = (value for name, value in content.items() if name != "pid")
    if type(content["pid"]) is not int or content["pid"] <= 0 or not all(isinstance(text, str) for text in texts):
        return None
    return Discovery(**content)


def _is_of(found: Discovery, home: Path) -> bool:
    """Say whether the file is about the home it lies in: in the copy of a home it is about the original."""
    with contextlib.suppress(OSError):
        return home.samefile(found.home)
    return False


def _suspicious(path: Path) -> DiscoveryError:
    return DiscoveryError(
        f"{path} could have been written by somebody else, so it is not used. Look at it, then remove it: rm {path}"
    )
