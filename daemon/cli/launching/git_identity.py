"""As whom the person commits in a folder: asked of their own git, so that the agent's commits have their name."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 5
_KEYS = {"user.name": "git_name", "user.email": "git_email", "init.defaultbranch": "git_branch"}
_ASKED = r"^(user\.(name|email)|init\.defaultbranch)$"


def git_identity(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a launch sends of it; what git does not know is left out."""
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return {}
    try:
        done = subprocess.run(
            [git, "config", "-z", "--get-regexp", _ASKED],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, str] = {}
    for line in done.stdout.decode("utf-8", "replace").split("\0"):
        key, _, value = line.partition("\n")
        if key in _KEYS and value:
            found[_KEYS[key]] = value[:255]  # the last one is the one that counts
    return found
