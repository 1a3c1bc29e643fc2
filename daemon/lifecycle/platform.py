"""What differs between the platforms we run on, in one place."""

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("linux", "darwin")
_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys" / "kernel" / "random" / "boot_id"
_OPEN_FILES = 65_536
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "drvfs", "afs", "ceph", "glusterfs"})


def is_supported() -> bool:
    """Say whether this platform is supported; Windows is, through WSL 2, which is Linux."""
    return sys.platform in SUPPORTED


def process_identity(pid: int) -> str | None:
    """Return what differs between two processes that had the same number, or None if there is no such process."""
    if (_PROCESSES / "self" / "stat").exists():
        return _identity_from_proc(pid)
    found = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
    )
    state, _, started = found.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def _identity_from_proc(pid: int) -> str | None:
    try:
        # The name in parentheses may hold anything; the state is the first field after it, the start time the 20th.
        fields = (_PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()
        state, started = fields[0], fields[19]
    except (OSError, IndexError):
        return None
    if state in {"Z", "X"}:
        return None  # dead, and only kept until its parent asks how it ended
    # Start times count from the boot, so the same number can come again after the next one.
    return f"{boot_identity() or ''}:{started}"


def boot_identity() -> str | None:
    """Return what differs between two runs of this machine, or None if that cannot be told."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text().strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip() or None
    return None


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
    """Keep a crash from writing secrets into a core file, and allow as many connections as the system lets us."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems name a limit that they then refuse; what there was before has to do.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
