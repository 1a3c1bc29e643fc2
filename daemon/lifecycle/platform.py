"""What differs between the platforms we run on, in one place."""

import subprocess
import sys
from pathlib import Path

SUPPORTED = ("linux", "darwin")


def is_supported() -> bool:
    """Say whether this platform is supported; Windows is, through WSL 2, which is Linux."""
    return sys.platform in SUPPORTED


def process_identity(pid: int) -> str | None:
    """Return what differs between two processes that had the same number, or None if there is no such process."""
    processes = Path("/proc")
    if processes.joinpath("self", "stat").exists():
        try:
            # The name in parentheses may hold anything; what we want is the 20th field after it: the start time.
            return processes.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return None
    found = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
    )
    return found.stdout.strip() or None
