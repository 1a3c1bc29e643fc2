"""Copies a person's folder for an agent, where the engine cannot lay a layer over it.

The folder may be written to meanwhile, also by somebody hostile. So everything is reached from the opened folder, no
link is followed, and of a file that grows only so much is read as it had at first.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.visible import visible
from daemon.workspaces.layers import manifest
from daemon.workspaces.layers.file_content import copy_content
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.manifest import Look, Remembered, kind_of
from daemon.workspaces.layers.opening import open_below
from daemon.workspaces.layers.site import WORK, Site
from daemon.workspaces.layers.tracked import Chosen, choose
from daemon.workspaces.values import Kind

_LOOK_AT_DISK = 500
_SHOWN = 5
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass(slots=True)
class Progress:
    """How far a copy is. Other threads read it while the copy is made."""

    files: int = 0
    bytes: int = 0
    stopped: bool = False
    """The launch has ended, so the copy ends as soon as it can."""
    idle: threading.Event = field(default_factory=_set_event)
    """No copy is being made."""

    @property
    def running(self) -> bool:
        """Whether a copy is being made."""
        return not self.idle.is_set()


@dataclass(slots=True)
class _Copying:
    source: int
    target: int
    chosen: Chosen
    progress: Progress
    spare: int
    found: list[Remembered] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def copy_site(site: Site, layer: Layer, progress: Progress, *, spare: int) -> list[str]:
    """Copy every part of a workspace into its layer, and the objects it borrows; return what the person must know."""
    notes: list[str] = []
    if progress.stopped:
        raise _stopped()
    progress.idle.clear()
    opened = dict(site.opened())
    try:
        for part in layer.parts:
            source = opened[part.name].descriptor
            chosen = choose(source) if part.name == WORK and site.git_folder is not None else Chosen.everything()
            if chosen.note:
                notes.append(chosen.note)
            notes += _copy(source, layer.upper(part), chosen, progress, spare, layer.manifest(part))
        for number, each in enumerate(site.borrowed):
            target = layer.borrowed(number)
            target.mkdir()
            _copy(each.opened.descriptor, target, Chosen.everything(), progress, spare, None)
    finally:
        progress.idle.set()
    return notes


def _copy(
    source: int, target: Path, chosen: Chosen, progress: Progress, spare: int, remembered: Path | None
) -> list[str]:
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    copying = _Copying(source, descriptor, chosen, progress, spare)
    try:
        folders = [""]
        while folders:
            folders += _copy_folder(copying, folders.pop())
    finally:
        os.close(descriptor)
    if remembered is not None:
        manifest.write(remembered, copying.found)
    notes = []
    for paths, what in (
        (copying.left_out, "was left out of the copy"),
        (copying.changed, "changed while it was copied"),
    ):
        if paths:
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            notes.append(f"{', '.join(visible(path) for path in paths[:_SHOWN])}{more} {what}.")
    return notes


def _copy_folder(copying: _Copying, folder: str) -> Iterator[str]:
    """Copy what lies in one folder; return the folders in it that come next."""
    below: list[str] = []
    try:
        source = open_below(copying.source, folder)
    except OSError as problem:
        copying.left_out.append(f"{folder} ({problem.strerror})")
        return iter(())
    target = open_below(copying.target, folder)
    try:
        with os.scandir(source) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if not copying.chosen.has(path):
                continue
            try:
                if _copy_one(copying, source, target, name, path) is Kind.FOLDER:
                    below.append(path)
            except OSError as problem:
                if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise _no_room() from problem
                copying.left_out.append(f"{path} ({problem.strerror})")
    finally:
        os.close(source)
        os.close(target)
    return iter(below)


def _copy_one(copying: _Copying, source: int, target: int, name: str, path: str) -> Kind:
    seen = os.stat(name, dir_fd=source, follow_symlinks=False)
    kind = kind_of(seen.st_mode)
    if kind is Kind.OTHER:
        copying.left_out.append(path)
        return kind
    if kind is Kind.FOLDER:
        os.mkdir(name, stat.S_IMODE(seen.st_mode) & 0o777 | stat.S_IRWXU, dir_fd=target)
    elif kind is Kind.LINK:
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        seen = _copy_file(copying, source, target, name, path)
    if os.geteuid() == 0:
        os.chown(name, seen.st_uid, seen.st_gid, dir_fd=target, follow_symlinks=False)
    # Tools compare times, so the copy gets them where the file system takes them. What we compare with later is read
    # from the copy right below, so nothing depends on it. Not every system can set the time of a link.
    with suppress(OSError, NotImplementedError):
        os.utime(name, ns=(seen.st_mtime_ns, seen.st_mtime_ns), dir_fd=target, follow_symlinks=False)
    made = os.stat(name, dir_fd=target, follow_symlinks=False)
    executable = kind is Kind.FILE and bool(seen.st_mode & stat.S_IXUSR)
    copying.found.append(
        Remembered(path=path, kind=kind, executable=executable, person=Look.of(seen), copy=Look.of(made))
    )
    _note_progress(copying, made.st_size if kind is Kind.FILE else 0)
    return kind


def _copy_file(copying: _Copying, source: int, target: int, name: str, path: str) -> os.stat_result:
    reading = os.open(name, _OPEN, dir_fd=source)
    try:
        seen = os.fstat(reading)
        if not stat.S_ISREG(seen.st_mode):
            raise OSError(errno.EINVAL, "it was replaced while it was copied")
        writing = os.open(name, _MAKE, stat.S_IMODE(seen.st_mode) & 0o777 | stat.S_IWUSR, dir_fd=target)
        try:
            copy_content(reading, writing, seen.st_size)
        finally:
            os.close(writing)
        after = os.fstat(reading)
        if Look.of(after) != Look.of(seen):
            copying.changed.append(path)
        return seen
    finally:
        os.close(reading)


def _note_progress(copying: _Copying, size: int) -> None:
    copying.progress.files += 1
    copying.progress.bytes += size
    if copying.progress.stopped:
        raise _stopped()
    if copying.progress.files % _LOOK_AT_DISK == 0:
        found = os.fstatvfs(copying.target)
        if found.f_bavail * found.f_frsize < copying.spare:
            raise _no_room()


def _stopped() -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS, "The launch ended while the folder was copied.", boundary=Boundary.USER
    )


def _no_room() -> Failure:
    message = "The disk of the workspaces has no room for a copy of this folder. Make room, or work in a smaller one."
    return Failure(FailureClass.RESOURCE_LIMIT_EXCEEDED, message, boundary=Boundary.SANDBOX)
