"""The folder that an agent is to work in, and what git needs beside it: found, checked and held open for a launch."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.failures import Failure
from daemon.workspaces.layers.file_content import copy_content
from daemon.workspaces.layers.head import head
from daemon.workspaces.layers.inside import WORKSPACE, is_within, may_be_mounted, seen_from
from daemon.workspaces.layers.layer import Part
from daemon.workspaces.layers.off_limits import OffLimits, mounted_below, mounts
from daemon.workspaces.layers.opening import (
    Opened,
    hold,
    kind_below,
    open_below,
    open_file_below,
    open_folder,
    read_below,
    refused,
    reopen,
)
from daemon.workspaces.layers.repository import MODULES, Git, NoGit, find

WORK = "work"
GIT = "git"
_MOST_PATH = 4096
_MOST_ALTERNATES = 64 * 1024
_DEEPEST_ALTERNATES = 5
"""As deep as git itself follows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowed:
    """Objects of another repository, which this one needs; mounted read-only."""

    opened: Opened
    inside: str


@dataclass(slots=True, kw_only=True)
class Site:
    """One folder for an agent. Its owner closes it."""

    work: Opened
    """The workspace: the top of the repository, or the folder itself where there is none."""
    subfolder: str = ""
    """Where the person launched, below the workspace."""
    git: Opened | None = None
    """Git's common folder, if the workspace is a worktree."""
    git_inside: str = ""
    git_folder: str | None = None
    """Where HEAD and the index are: below `git` if there is one, otherwise below `work`. None without git."""
    borrowed: list[Borrowed] = field(default_factory=list)
    branch: str = ""
    commit: str = ""
    mounted: tuple[Path, ...] = ()
    """Where something is mounted below these folders: a layer over them does not show it."""
    notes: list[str] = field(default_factory=list)
    """What the person must know."""

    def parts(self) -> tuple[Part, ...]:
        """Return what is recorded in a layer of it."""
        work = self.work.part(WORK, WORKSPACE)
        return (work,) if self.git is None else (work, self.git.part(GIT, self.git_inside))

    def opened(self) -> Iterator[tuple[str, Opened]]:
        """Yield what is held open for each part, by its name."""
        yield WORK, self.work
        if self.git is not None:
            yield GIT, self.git

    @property
    def folder_inside(self) -> str:
        """Return where the agent works in the container."""
        return f"{WORKSPACE}/{self.subfolder}" if self.subfolder else WORKSPACE

    @property
    def holder(self) -> Opened:
        """Return the folder that `git_folder` is below."""
        return self.work if self.git is None else self.git

    def copy_index(self, place: Path, *, most: int) -> bool:
        """Copy git's index as it is now into a file; return False if there is none, or it is larger than that.

        Git replaces its index and never writes into it, so what was opened does not change meanwhile.
        """
        below = None if self.git_folder is None else f"{self.git_folder}/index"
        reading = None if below is None else open_file_below(self.holder.descriptor, below)
        if reading is None:
            return False
        try:
            seen = os.fstat(reading)
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > most:
                return False
            with place.open("wb", buffering=0) as writing:
                copy_content(reading, writing.fileno(), seen.st_size)
            return True
        finally:
            os.close(reading)

    def close(self) -> None:
        """Close every folder that was opened."""
        for _, opened in self.opened():
            opened.close()
        for each in self.borrowed:
            each.opened.close()


def survey(folder: Path, off_limits: OffLimits) -> Site:
    """Open a folder and what git needs of it, or raise Failure."""
    here = open_folder(folder, off_limits, follow=False)
    try:
        found = find(here.path)
        site = _site(here, found, off_limits)
    except BaseException:
        here.close()
        raise
    if site.work is not here:
        here.close()
    site.mounted = _mounted_below(site)
    return site


def resurvey(parts: tuple[Part, ...], subfolder: str, off_limits: OffLimits) -> Site:
    """Open again what a layer is over, or raise Failure if another folder is there now."""
    work = reopen(parts[0])
    try:
        site = _with_git(work, find(work.path), off_limits)
    except BaseException:
        work.close()
        raise
    site.subfolder = subfolder
    site.mounted = _mounted_below(site)
    recorded = parts[1:]
    if tuple(part for part in site.parts()[1:]) != recorded:
        site.close()
        raise refused(f"The repository of {work.path} is not where it was when the session began, so it cannot go on.")
    return site


def _site(here: Opened, found: Git | NoGit | None, off_limits: OffLimits) -> Site:
    if not isinstance(found, Git) or found.top == here.path:
        return _with_git(here, found, off_limits)
    try:
        work = open_folder(found.top, off_limits, follow=False)
    except Failure as why:
        note = f"{found.top} is a repository that no agent may get, so there is no git inside. {why.message}"
        return Site(work=here, notes=[note])
    mounted = [place for place in mounted_below(work.path, mounts()) if here.path.is_relative_to(place)]
    if mounted:
        work.close()
        note = f"{mounted[0]} is mounted into {work.path}, and a layer over that would not show it: so only "
        return Site(work=here, notes=[f"{note}{here.path} itself is taken, and there is no git inside."])
    try:
        subfolder = str(here.path.relative_to(work.path))
        if not _leads_to(work, subfolder, here):
            raise refused(f"{here.path} was moved while it was being opened. Try again.")
        site = _with_git(work, found, off_limits)
    except BaseException:
        work.close()
        raise
    site.subfolder = subfolder
    return site


def _mounted_below(site: Site) -> tuple[Path, ...]:
    seen = mounts()
    return tuple(place for _, opened in site.opened() for place in mounted_below(opened.path, seen))


def _leads_to(work: Opened, subfolder: str, here: Opened) -> bool:
    try:
        descriptor = open_below(work.descriptor, subfolder)
    except OSError:
        return False
    with hold(descriptor, here.path) as below:
        return (below.device, below.inode) == (here.device, here.inode)


def _with_git(work: Opened, found: Git | NoGit | None, off_limits: OffLimits) -> Site:
    site = Site(work=work)
    if isinstance(found, NoGit):
        site.notes.append(found.why)
    elif isinstance(found, Git) and found.is_worktree:
        _add_worktree(site, found, off_limits)
    elif isinstance(found, Git):
        site.git_folder = str(found.folder.relative_to(found.top))
        _read(site, site.git_folder, site.git_folder)
        _borrow(site, site.git_folder, f"{WORKSPACE}/{site.git_folder}", off_limits)
    return site


def _add_worktree(site: Site, found: Git, off_limits: OffLimits) -> None:
    folder_inside = seen_from(WORKSPACE, found.written)
    inside = seen_from(folder_inside, found.common_written)
    if not is_within(folder_inside, inside) or not may_be_mounted(inside):
        site.notes.append(f"{found.common} cannot be mounted at {inside} inside, so there is no git inside.")
        return
    try:
        site.git = open_folder(found.common, off_limits, follow=False)
    except Failure as why:
        site.notes.append(f"No agent may get {found.common}, so there is no git inside. {why.message}")
        return
    if not _names_it_back(site.git, found, site.work):
        site.git.close()
        site.git = None
        site.notes.append(f"The repository of {found.top} changed while it was looked at, so there is no git inside.")
        return
    site.git_inside = inside
    site.git_folder = str(found.folder.relative_to(found.common))
    _read(site, site.git_folder, "")
    _borrow(site, "", inside, off_limits)
    if _has_submodules(site.git, site.git_folder):
        site.notes.append(
            f"{found.top} is a worktree with submodules. Git does not work in these inside, and for the worktree use "
            "git status --ignore-submodules=all. To work on them, launch in the repository itself."
        )


def _has_submodules(git: Opened, folder: str) -> bool:
    """Say whether a worktree has repositories of submodules: they name the worktree by its path on this machine."""
    try:
        descriptor = open_below(git.descriptor, f"{folder}/{MODULES}")
    except OSError:
        return False
    try:
        with os.scandir(descriptor) as entries:
            return any(True for _ in entries)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _names_it_back(git: Opened, found: Git, work: Opened) -> bool:
    """Look once more, by descriptors: a folder that was swapped meanwhile must not bring another repository in."""
    own = str(found.folder.relative_to(found.common))
    said = read_below(git.descriptor, f"{own}/gitdir", most=_MOST_PATH) or b""
    try:
        named = (found.folder / os.fsdecode(said.strip(b"\r\n"))).parent.stat()
    except (OSError, ValueError):
        return False
    return (named.st_dev, named.st_ino) == (work.device, work.inode)


def _read(site: Site, folder: str, common: str) -> None:
    site.branch, site.commit = head(site.holder.descriptor, folder, common)


def _borrow(site: Site, common: str, inside: str, off_limits: OffLimits) -> None:
    """Open the objects of other repositories that this one borrows."""
    objects = f"{common}/objects" if common else "objects"
    waiting = [(site.holder.descriptor, objects, site.holder.path / objects, f"{inside}/objects", 0)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        descriptor, below, outside, there, depth = waiting.pop()
        said = read_below(descriptor, f"{below}/info/alternates" if below else "info/alternates", most=_MOST_ALTERNATES)
        for line in (said or b"").decode("utf-8", "surrogateescape").splitlines():
            if not line or line.startswith("#") or depth == _DEEPEST_ALTERNATES:
                continue
            place = seen_from(there, line)
            if is_within(place, WORKSPACE):
                continue  # it is there already
            try:
                opened = open_folder(outside / line, off_limits)
            except Failure as why:
                site.notes.append(f"Git inside lacks objects of another repository. {why.message}")
                continue
            if (opened.device, opened.inode) in seen:
                opened.close()
                continue
            if not _is_objects(opened) or not may_be_mounted(place):
                site.notes.append(f"Git inside lacks the objects in {opened.path}, which cannot be mounted at {place}.")
                opened.close()
                continue
            seen.add((opened.device, opened.inode))
            site.borrowed.append(Borrowed(opened=opened, inside=place))
            waiting.append((opened.descriptor, "", opened.path, place, depth + 1))


def _is_objects(opened: Opened) -> bool:
    """Whether it looks like a folder of git's objects, so that no other folder is mounted because a file names it."""
    return all(kind_below(opened.descriptor, name) == stat.S_IFDIR for name in ("pack", "info"))
