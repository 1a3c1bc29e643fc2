"""What `aileron doctor` can see without the daemon: the home, its settings, who may read it, and the space left."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.base.home import Home
from daemon.base.settings import SettingsError, load_settings
from daemon.cli.machine_checks import machine_checks
from daemon.core.quantities import readable_size
from daemon.lifecycle.discovery import DiscoveryError, read_discovery

_LITTLE_SPACE = 200 * 2**20
_NO_SPACE = 20 * 2**20

Check = dict[str, Any]


def local_checks(home: Home) -> list[Check]:
    """Return each check with its result and remedy."""
    if not home.path.exists():
        missing = f"{home.path} does not exist yet; it is made when the daemon first starts."
        return [check("home", "ok", missing), *machine_checks(home)]
    own = (*_home(home), *_settings(home), *_private_files(home), *_discovery(home), *_space(home))
    return [*own, *machine_checks(home)]


def check(name: str, status: str, message: str, remedy: str = "") -> Check:
    """Return one check in the form of the API's."""
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _home(home: Home) -> Iterator[Check]:
    try:
        status = home.path.stat()
    except OSError as error:
        yield check("home", "failed", f"{home.path} cannot be looked at: {error.strerror}.", "Check its permissions.")
        return
    if not stat.S_ISDIR(status.st_mode):
        yield check("home", "failed", f"{home.path} is not a folder.", "Move it away, or set AILERON_HOME.")
    elif status.st_uid != os.getuid():
        yield check("home", "failed", f"{home.path} belongs to another user.", "Set AILERON_HOME to a folder of yours.")
    elif status.st_mode & 0o077:
        yield check("home", "failed", f"Others may look into {home.path}.", f"Run: chmod 700 {home.path}")
    elif not os.access(home.path, os.R_OK | os.W_OK | os.X_OK):
        yield check("home", "failed", f"{home.path} cannot be written.", f"Run: chmod 700 {home.path}")
    else:
        yield check("home", "ok", f"{home.path} is yours alone.")


def _settings(home: Home) -> Iterator[Check]:
    try:
        load_settings(home)
    except SettingsError as error:
        yield check("settings", "failed", str(error), "Mend the setting; the daemon does not start with it.")
    except OSError as error:
        yield check(
            "settings", "failed", f"{home.config_path} cannot be read: {error.strerror}.", "Check its permissions."
        )
    else:
        yield check("settings", "ok", "Every setting is known and usable.")


def _private_files(home: Home) -> Iterator[Check]:
    exposed = [path for path in _secret_files(home) if _is_exposed(path)]
    for path in exposed:
        yield check("private files", "failed", f"Others may read or change {path}.", f"Run: chmod 600 {path}")
    if not exposed:
        yield check("private files", "ok", "No one else may read the vault, the database or the keys.")


def _secret_files(home: Home) -> list[Path]:
    files = [home.vault_path, home.database_path, home.keyring_path, home.discovery_path]
    files.append(home.servers_path.resolve())  # it may be a link to where somebody keeps such files
    # No such folder yet is fine; one that cannot be entered is what the check of the home is about.
    with contextlib.suppress(OSError):
        files += sorted(path for path in home.ca_dir.iterdir() if path.suffix == ".key")
    return files


def _is_exposed(path: Path) -> bool:
    try:
        return bool(path.lstat().st_mode & 0o077)
    except OSError:
        return False


def _discovery(home: Home) -> Iterator[Check]:
    try:
        read_discovery(home.discovery_path)
    except (DiscoveryError, OSError) as error:
        yield check("discovery file", "failed", str(error), f"Run: rm {home.discovery_path}")


def _space(home: Home) -> Iterator[Check]:
    try:
        free = shutil.disk_usage(home.path).free
    except OSError:
        return
    shown = f"{readable_size(free)} are free where {home.path} lies."
    if free < _NO_SPACE:
        yield check("disk space", "failed", shown, "Free some: without space for the audit log, no action runs.")
    elif free < _LITTLE_SPACE:
        yield check("disk space", "warning", shown, "Free some soon: without space for the audit log, no action runs.")
    else:
        yield check("disk space", "ok", shown)
