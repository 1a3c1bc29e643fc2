"""Asks git under which name the person commits in a folder, so that the agent's commits have the same name."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_SECONDS = 5
_KEYS = {"user.name": "name", "user.email": "email", "init.defaultbranch": "branch"}
_MOST_CHARACTERS = 255
_ASKED = r"^(user\.(name|email)|init\.defaultbranch)$"


class GitIdentity(NamedTuple):
    """What git says of the person; what it does not know is empty."""

    name: str = ""
    email: str = ""
    branch: str = ""
    """What the first branch of a new repository is called."""


def git_identity(folder: Path, environ: Mapping[str, str]) -> GitIdentity:
    """Ask git, in the folder, because a folder may have a name of its own."""
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return GitIdentity()
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
        return GitIdentity()
    found: dict[str, str] = {}
    for line in done.stdout.decode("utf-8", "replace").split("\0"):
        key, _, value = line.partition("\n")
        if key in _KEYS and value:
            found[_KEYS[key]] = value[:_MOST_CHARACTERS]  # the last one is the one that counts
    return GitIdentity(**found)
