"""Writes what lands into its slot of a staging folder: exactly what the person was shown, or nothing."""

import hashlib
import os
import stat
from dataclasses import dataclass

from daemon.base.files import write_all
from daemon.workspaces.landing.folders import Folders
from daemon.workspaces.landing.staging import Stage
from daemon.workspaces.reading import Unreadable, is_executable, opened_file, place_of
from daemon.workspaces.values import Entry, Kind

_PIECE = 1 << 20
_ZEROS = bytes(_PIECE)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHANGED = "the agent changed it after you looked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """The mode and owner that something new gets."""

    mode: int
    owner: tuple[int, int] | None
    """None where we are not root: it is ours, like everything here."""


def stage_entry(agent: Folders, path: str, entry: Entry, stage: Stage, slot: str, dress: Dress, *, sync: bool) -> None:
    """Put what the person was shown into a slot; raise Unreadable if it is not that any more, OSError.

    The agent's file is read once: what is written is what was compared.
    """
    if entry.kind is Kind.FOLDER:
        os.mkdir(slot, 0o700, dir_fd=stage.descriptor)
        descriptor = os.open(slot, _FOLDER, dir_fd=stage.descriptor)
        try:
            _dress(descriptor, dress)
        finally:
            os.close(descriptor)
        return
    folder, _, name = path.rpartition("/")
    try:
        above = agent.at(folder)
    except OSError as problem:
        raise Unreadable(_CHANGED) from problem
    place = place_of(above, name)
    if place is None or place.kind is not entry.kind:
        raise Unreadable(_CHANGED)
    if entry.kind is Kind.LINK:
        _stage_link(os.readlink(name, dir_fd=above), entry, stage, slot, dress)
        return
    if place.status.st_size != entry.size or is_executable(place.status.st_mode) != entry.executable:
        raise Unreadable(_CHANGED)
    with opened_file(place) as source, stage.writing(slot) as target:
        _copy(source, target, entry)
        _dress(target, dress)
        if sync:
            os.fsync(target)


def _stage_link(target: str, entry: Entry, stage: Stage, slot: str, dress: Dress) -> None:
    if target != entry.target:
        raise Unreadable(_CHANGED)
    os.symlink(target, slot, dir_fd=stage.descriptor)
    if dress.owner is not None:
        os.chown(slot, *dress.owner, dir_fd=stage.descriptor, follow_symlinks=False)


def _copy(source: int, target: int, entry: Entry) -> None:
    """Copy as many bytes as were shown, and not one more, however fast the file grows."""
    digest, left = hashlib.sha256(), entry.size
    while left:
        try:
            piece = os.read(source, min(_PIECE, left))
        except OSError as problem:
            raise Unreadable(f"it cannot be read ({problem.strerror})") from problem
        if not piece:
            raise Unreadable(_CHANGED)
        left -= len(piece)
        digest.update(piece)
        if piece == _ZEROS:
            os.lseek(target, len(piece), os.SEEK_CUR)  # a hole stays one
        else:
            write_all(target, piece)
    if digest.hexdigest() != entry.digest or os.fstat(source).st_size != entry.size:
        raise Unreadable(_CHANGED)
    if os.fstat(target).st_size != entry.size:
        os.ftruncate(target, entry.size)


def new_dress(mode: int, owner: tuple[int, int] | None, entry: Entry) -> Dress:
    """Return mode and owner of something new: as readable as the folder it lies in. The agent's mode is not used."""
    plain = stat.S_IMODE(mode)
    if entry.kind is Kind.FOLDER:
        return Dress(mode=plain & 0o777 | 0o700, owner=owner)
    readable = plain & 0o666 | 0o600
    return Dress(mode=_with_execute(readable) if entry.executable else readable, owner=owner)


def replacing_dress(mode: int, owner: tuple[int, int] | None, entry: Entry) -> Dress:
    """Return mode and owner of what replaces a file: those of that file, with the execute bit that was shown."""
    plain = stat.S_IMODE(mode) & 0o777
    if not entry.executable:
        return Dress(mode=plain & ~0o111, owner=owner)
    return Dress(mode=plain if is_executable(plain) else _with_execute(plain), owner=owner)


def _with_execute(mode: int) -> int:
    """Let those execute who may read; the owner always."""
    return mode | (mode & 0o444) >> 2 | 0o100


def _dress(descriptor: int, dress: Dress) -> None:
    if dress.owner is not None:
        os.fchown(descriptor, *dress.owner)
    os.fchmod(descriptor, dress.mode)
