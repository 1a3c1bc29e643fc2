"""Reads the clocks that tell whether the wall clock was set meanwhile."""

import time
from pathlib import Path

from daemon.workspaces.looking.base import Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now() -> Now:
    """Return the clocks of this moment. Where the kernel has no number of its start, that is empty."""
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot_id = ""
    steady = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Now(wall_ns=time.time_ns(), boot_ns=time.clock_gettime_ns(steady), boot_id=boot_id)
