"""Finds the git repository that a folder belongs to, by reading its files; no program runs for it.

What is found is only a proposal: whoever mounts it opens it (`daemon/workspaces/layers/site.py`), and what was
opened counts.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.workspaces.layers.opening import read_regular

_GIT = ".git"
_GITDIR = "gitdir:"
MODULES = "modules"
"""Below this folder of its own, a repository keeps those of its submodules."""
_MOST = 4096
"""The longest path; a file that only holds one is not longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Where git keeps what it knows of a working folder."""

    top: Path
    """The working folder."""
    folder: Path
    """Its own: HEAD and the index are here."""
    common: Path
    """Objects, branches and configuration. Differs from `folder` in a worktree only."""
    written: str = ""
    """What the `.git` file says; empty if `.git` is a folder."""
    common_written: str = ""
    """What the `commondir` file of a worktree says."""

    @property
    def is_worktree(self) -> bool:
        """Whether it is a worktree that was added to a repository."""
        return self.folder != self.common


@dataclass(frozen=True, slots=True, kw_only=True)
class NoGit:
    """There is a `.git`, and it cannot be used in a container; why, for the person."""

    top: Path
    why: str


def find(folder: Path) -> Git | NoGit | None:
    """Return the repository that a folder belongs to; of a submodule, the one that holds it. None if it is in none.

    `folder` leads through no link. Whatever is moved or swapped meanwhile, nothing is raised.
    """
    found = _nearest(folder)
    while isinstance(found, Git):
        around = _nearest(found.top.parent) if found.top.parent != found.top else None
        if not isinstance(around, Git) or not found.folder.is_relative_to(around.folder / MODULES):
            break
        if Path(found.written).is_absolute():
            return NoGit(
                top=around.top,
                why=f"{found.top / _GIT} names its repository by a full path, so git does not work in that submodule "
                "inside. Make it relative: git submodule absorbgitdirs",
            )
        found = around
    if isinstance(found, Git) and not found.is_worktree and not _holds(found.top, found.folder):
        why = f"{found.top / _GIT} names {found.folder}, which is not in this folder, so there is no git inside."
        return NoGit(top=found.top, why=why)
    return found


def _nearest(folder: Path) -> Git | NoGit | None:
    """Look for `.git` in a folder and above it, on the same file system and with the same owner, as git itself does."""
    with suppress(OSError):
        begun = folder.stat()
        for top in (folder, *folder.parents):
            seen = top.stat()
            if seen.st_dev != begun.st_dev:
                return None
            if seen.st_uid not in (begun.st_uid, os.geteuid()):
                return None  # in a folder of somebody else, a repository could be a trap
            found = _at(top)
            if found is not None:
                return found
    return None


def _at(top: Path) -> Git | NoGit | None:
    place = top / _GIT
    try:
        mode = place.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISLNK(mode):
        # Where it leads could be changed at any moment, so nothing of it is mounted, read or written.
        why = f"{place} is a symbolic link, so git may not work inside, and no commit lands. Put the folder there."
        return NoGit(top=top, why=why)
    if stat.S_ISDIR(mode):
        return Git(top=top, folder=place, common=place) if _is_git(place) else None
    written = _line(place)
    if not written.startswith(_GITDIR):
        return None
    return _elsewhere(top, written.removeprefix(_GITDIR).strip())


def _elsewhere(top: Path, written: str) -> Git | NoGit:
    """Read a `.git` file. One that names a folder which does not know this one may be a trap, and is not followed."""
    folder = _resolved(top / written)
    if folder is None:
        why = f"{top / _GIT} names {written}, which cannot be followed, so there is no git inside."
        return NoGit(top=top, why=why)
    common_written = _line(folder / "commondir")
    if not common_written:
        if _is_git(folder) and _holds(top, folder):
            if Path(written).is_absolute():
                why = f"{top / _GIT} names its repository by a full path, so there is no git inside."
                return NoGit(top=top, why=why)
            return Git(top=top, folder=folder, common=folder, written=written)
        if _is_git(folder) and MODULES in folder.parts:
            return Git(top=top, folder=folder, common=folder, written=written)  # a submodule, if `find` agrees
        return NoGit(
            top=top, why=f"{top / _GIT} names {folder}, which is not in this folder, so there is no git inside."
        )
    common = _resolved(folder / common_written)
    back = _line(folder / "gitdir")
    if common is None or folder.parent != common / "worktrees" or not back or not _same(folder / back, top / _GIT):
        return NoGit(
            top=top,
            why=f"{top / _GIT} names {folder}, which does not name this folder, so there is no git inside. "
            "If you moved it: git worktree repair",
        )
    return Git(top=top, folder=folder, common=common, written=written, common_written=common_written)


def _is_git(folder: Path) -> bool:
    return (folder / "objects").is_dir() and ((folder / "HEAD").is_file() or (folder / "HEAD").is_symlink())


def _holds(top: Path, folder: Path) -> bool:
    """Say whether a folder lies in another one, by their names alone: `top` was resolved when it was opened.

    Resolved again, it could lead to the same other place as `folder` does, if both were swapped for a link meanwhile.
    """
    return folder.is_relative_to(top)


def _resolved(path: Path) -> Path | None:
    """Return where a path leads; None if it leads in a circle, or something on the way is swapped meanwhile."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a circle is a RuntimeError
        return None


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _line(path: Path) -> str:
    """Return the one line of a small regular file; empty if it is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    raw = read_regular(descriptor, most=_MOST) or b""
    return "" if b"\0" in raw else os.fsdecode(raw).strip("\r\n")
