"""Which files of a folder are copied for an agent: in a repository all but the ignored ones, otherwise all."""

import os
import shutil
import subprocess
from dataclasses import dataclass

_SECONDS = 120
_NEUTRAL = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false"),
    # The daemon may be root, and the folder somebody else's; nothing that its configuration names is run for this.
    *("-c", "safe.directory=*", "-c", "core.excludesFile=/dev/null", "-c", "core.preloadIndex=false"),
)
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
_GIT = ".git"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is copied."""

    whole: frozenset[str] | None
    """Paths that are copied with all that is in them; None for everything."""
    above: frozenset[str] = frozenset()
    """The folders that lead there."""
    note: str = ""

    @classmethod
    def everything(cls, note: str = "") -> "Chosen":
        """Choose all there is."""
        return cls(whole=None, note=note)

    def has(self, path: str) -> bool:
        """Say whether a path is copied."""
        if self.whole is None or path in self.whole or path in self.above:
            return True
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in self.whole:
                return True
        return False


def choose(folder: int) -> Chosen:
    """Ask git of the host which files of a repository, opened, are not ignored; without git all are copied."""
    git = shutil.which("git")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            [git or "git", *_NEUTRAL, *_LIST],
            cwd=f"/proc/self/fd/{folder}",
            env=environment,
            pass_fds=(folder,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Chosen.everything("Git could not say which files are ignored, so all were copied.")
    return of_paths([os.fsdecode(path) for path in done.stdout.split(b"\0") if path])


def of_paths(paths: list[str]) -> Chosen:
    """Choose some paths, and the repository itself. A folder that is named is a submodule, and is copied whole."""
    above: set[str] = set()
    for path in paths:
        folder = path.rstrip("/").rpartition("/")[0]
        while folder and folder not in above:
            above.add(folder)
            folder = folder.rpartition("/")[0]
    return Chosen(whole=frozenset([_GIT, *(path.rstrip("/") for path in paths)]), above=frozenset(above))
