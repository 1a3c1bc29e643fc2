"""What differs between the platforms we run on, in one place."""

import contextlib
import functools
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

SUPPORTED = ("linux", "darwin")
_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys" / "kernel" / "random" / "boot_id"
_OPEN_FILES = 65_536
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "drvfs", "afs", "ceph", "glusterfs"})


_DOCKER = "/var/run/docker.sock"


def docker_socket(named: str | None, environment: Mapping[str, str]) -> Path:
    """Return where the Docker engine is asked: as the setting says, or DOCKER_HOST, or at its usual place.

    An engine that is asked over a network has no place of its own; the usual one is returned for it.
    """
    path = (named or environment.get("DOCKER_HOST", "")).removeprefix("unix://")
    return Path(path if path.startswith("/") else _DOCKER)


def is_supported() -> bool:
    """Say whether this platform is supported; Windows is, through WSL 2, which is Linux."""
    return sys.platform in SUPPORTED


class Fate(Enum):
    """What became of a process. UNKNOWN is no reason to end or remove anything that belongs to it."""

    LIVES = "lives"
    GONE = "gone"
    UNKNOWN = "unknown"


class CannotTellError(Exception):
    """The system does not say whether a process is there, for example because no file can be opened just now."""


def fate_of(pid: int, identity: str) -> Fate:
    """Say whether a process that was seen before still lives; GONE only if that is certain."""
    try:
        found = process_identity(pid)
    except CannotTellError:
        return Fate.UNKNOWN
    return Fate.LIVES if found == identity else Fate.GONE


def working_folder(pid: int, identity: str) -> Path | None:
    """Return where a process that was seen before works; None if it has ended, or where the system does not say it."""
    try:
        folder = (_PROCESSES / str(pid) / "cwd").readlink()
    except OSError:
        return None
    return folder if fate_of(pid, identity) is Fate.LIVES and folder.is_dir() else None


def is_gone(pid: int) -> bool:
    """Say whether there is certainly no process of this number."""
    try:
        return process_identity(pid) is None
    except CannotTellError:
        return False


def process_identity(pid: int) -> str | None:
    """Return what tells a process from others that had its number, or None if it certainly does not exist.

    Raises CannotTellError if the system says neither.
    """
    if not _number_is_taken(pid):
        return None
    if (_PROCESSES / "self" / "stat").exists():
        return _identity_from_proc(pid)
    try:
        found = subprocess.run(
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CannotTellError(f"ps did not say anything of process {pid}: {problem}") from problem
    state, _, started = found.stdout.strip().partition(" ")
    if state.startswith("Z"):
        return None
    if not started:
        if not _number_is_taken(pid):
            return None  # it ended while ps was asked
        raise CannotTellError(f"ps does not show process {pid}, and there is one")
    return started.strip()


def _number_is_taken(pid: int) -> bool:
    # This needs no descriptor and no memory, so it works also when no file can be opened any more.
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it belongs to another user
    return True


def _identity_from_proc(pid: int) -> str | None:
    try:
        text = (_PROCESSES / str(pid) / "stat").read_text()
    except OSError as problem:
        # It may have ended just now, or be hidden from us, or nothing can be opened.
        if not _number_is_taken(pid):
            return None
        raise CannotTellError(f"process {pid} cannot be looked at: {problem}") from problem
    try:
        # The name in parentheses may hold anything; the state is the first field after it, the start time the 20th.
        fields = text.rpartition(")")[2].split()
        state, started = fields[0], fields[19]
    except IndexError as problem:
        raise CannotTellError(f"what the system says of process {pid} is not understood") from problem
    if state in {"Z", "X"}:
        return None  # dead, and only kept until its parent asks how it ended
    # Start times count from the boot, so the same number can come again after the next one.
    return f"{_boot()}:{started}"


def boot_identity() -> str | None:
    """Return what differs between two runs of this machine, or None if that cannot be told."""
    with contextlib.suppress(CannotTellError):
        if boot := _boot():
            return boot
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip() or None
    return None


@functools.cache
def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except FileNotFoundError:
        return ""  # not every system has one
    except OSError as problem:
        # A guess would make every process look like a new one. An exception is not cached, so it is read again later.
        raise CannotTellError(f"{_BOOT} cannot be read: {problem}") from problem


def network_filesystem(path: Path, *, mounts: Path = _PROCESSES / "self" / "mounts") -> str | None:
    """Return the kind of network file system a path lies on, or None if it is on none, or if that cannot be told."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    place = path.resolve()
    # Of mounts at the same place the last one covers the others.
    best, kind = Path("/"), ""
    for _, where, mounted, *_ in (line.split(" ") for line in lines):
        point = Path(where.replace("\\040", " "))
        if place.is_relative_to(point) and point.is_relative_to(best):
            best, kind = point, mounted
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None


def bound_process() -> None:
    """Switch core files off, which would hold secrets after a crash, and raise the limit of open files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems refuse the very limit they name; then the limit stays as it was.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files_limit() -> int:
    """Return how many files and connections this process may have open at once."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _OPEN_FILES if soft == resource.RLIM_INFINITY else soft
