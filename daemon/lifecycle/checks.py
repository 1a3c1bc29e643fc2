"""What `aileron doctor` can say of the machine and of the program, without a daemon."""

import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.base.clock import Clock
from daemon.base.home import Home
from daemon.base.platform import is_supported, network_filesystem
from daemon.lifecycle.discovery import DiscoveryError, read_discovery
from daemon.version import VERSION

_OLDEST_PYTHON = (3, 11)
_AHEAD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, how it stands, and what to do if it does not stand well."""

    name: str
    status: Literal["ok", "warning", "failed"]
    message: str
    remedy: str = ""


def machine_checks(home: Home, *, clock: Clock) -> tuple[Check, ...]:
    """Look at the machine and the program; what cannot be told is left out."""
    looks: tuple[Callable[[], Iterator[Check]], ...] = (
        _python,
        _webassembly,
        lambda: _clock(home, clock),
        lambda: _filesystem(home),
        lambda: _version(home),
    )
    return tuple(check for look in looks for check in look())


def _python() -> Iterator[Check]:
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    if not is_supported():
        yield Check("platform", "failed", found, "Aileron runs on Linux and macOS; on Windows, use WSL 2.")
    elif sys.version_info[:2] < _OLDEST_PYTHON:
        yield Check("platform", "failed", found, "Install Aileron with Python 3.11 or newer.")
    else:
        yield Check("platform", "ok", found)


def _webassembly() -> Iterator[Check]:
    # Looked for and not imported: a library made for another machine would end this process without a word.
    if importlib.util.find_spec("wasmtime") is None:
        yield Check("webassembly", "failed", "The wasmtime package is missing, so no connector runs.", "Reinstall.")
    else:
        yield Check("webassembly", "ok", "The runtime for connectors is installed.")


def _clock(home: Home, clock: Clock) -> Iterator[Check]:
    ahead = max((_modified_ms(path) for path in (home.database_path, home.vault_path)), default=0) - clock.now_ms()
    if ahead > _AHEAD_MS:
        message = f"Files in {home.path} are {ahead / 1000:.0f} s younger than now, so the clock was set back."
        remedy = "Set it right: approvals and sessions expire by it, and the audit log is dated by it."
        yield Check("clock", "warning", message, remedy)
    else:
        yield Check("clock", "ok", "It is not behind the files in the home.")


def _modified_ms(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0


def _filesystem(home: Home) -> Iterator[Check]:
    kind = network_filesystem(home.path)
    if kind is not None:
        message = f"{home.path} lies on a {kind} file system, where locks, permissions and fsync may not hold."
        yield Check("file system", "warning", message, "Set AILERON_HOME to a folder on a local disk.")


def _version(home: Home) -> Iterator[Check]:
    try:
        found = read_discovery(home.discovery_path)
    except (DiscoveryError, OSError):
        return
    if found is not None and found.version != VERSION:
        message = f"The daemon that runs is {found.version}, this program is {VERSION}."
        yield Check("version", "warning", message, "Run: aileron stop; the next command starts the new one.")
