"""The layers of one home: made, found, changed, ended, resumed and removed. Everything here blocks; use a thread.

~/.aileron/workspaces/<session>/record.json     what is known of it (daemon/workspaces/layers/record.py)
                                work/upper      what the agent wrote; or work/copy
                                work/work       the kernel's own
                                git/...         the same for git's common folder, if the workspace is a worktree
                                index           git's index as it was at the start
"""

import os
import re
import shutil
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from daemon.base.clock import Clock
from daemon.base.files import replace_file
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such
from daemon.workspaces.layers import record
from daemon.workspaces.layers.layer import Layer, Start, State
from daemon.workspaces.layers.site import Site
from daemon.workspaces.layers.untouched import is_untouched
from daemon.workspaces.layers.walking import allocated, remove_tree
from daemon.workspaces.values import Way

_log = structlog.get_logger("daemon.workspaces")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_GONE = ".gone-"
_MOST_INDEX = 512 * 1024**2
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_XATTR = "user.aileron.trial"


@dataclass(frozen=True, slots=True)
class Listing:
    """Every layer there is."""

    layers: tuple[Layer, ...]
    """The newest first."""
    unreadable: tuple[tuple[str, str], ...]
    """Folders whose record cannot be used, each with why. They are never removed by themselves."""


class Layers:
    """Owns the folder of layers. One lock: a record is read, changed and written by one thread at a time."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.RLock()

    def create(self, session: str, site: Site, *, agent: str, label: str, way: Way, user: str) -> Layer:
        """Make the layer of a new session over an opened site; the record is on the disk when this returns.

        A session that works on the folder itself (`Way.LIVE`) has no layer.
        """
        folder = self._place(session)
        folder.mkdir(mode=0o700, parents=True)
        began = Layer(
            session=session,
            agent=agent,
            label=label,
            way=way,
            state=State.OPEN,
            parts=site.parts(),
            subfolder=site.subfolder,
            user=user,
            start=_start(folder, site),
            folder=folder,
        )
        _make_folders(began, site)
        self.save(began)
        return began

    def turn_to_copy(self, session: str, site: Site) -> Layer:
        """Make a layer that nothing was written to one that is a copy: the engine could not mount the overlay."""
        layer = self.get(session)
        for part in layer.parts:
            remove_tree(layer.folder / part.name)
        layer = replace(layer, way=Way.COPY)
        _make_folders(layer, site)
        self.save(layer)
        return layer

    def get(self, session: str) -> Layer:
        """Return the layer of a session, also if another session has resumed it since; raise Failure."""
        try:
            if _NAME.fullmatch(session) and (found := self._read_if_there(self._folder / session)) is not None:
                return found
        except record.RecordError as problem:
            message = f"The record of the workspace of {session} cannot be used: {problem}. It lies in {self._folder}."
            raise Failure(FailureClass.INTERNAL_ERROR, message, boundary=Boundary.USER) from problem
        for layer in self.all().layers:
            if session in layer.earlier:
                return layer
        raise no_such("workspace of a session", session, prefix=IdPrefix.SESSION, remedy="See `aileron session list`.")

    def all(self) -> Listing:
        """Return every layer, and every folder whose record cannot be used."""
        layers, unreadable = [], []
        with suppress(FileNotFoundError):
            for folder in sorted(self._folder.iterdir(), reverse=True):
                if folder.name.startswith(".") or folder.is_symlink():
                    continue
                try:
                    layer = self._read_if_there(folder)
                    layers += [] if layer is None else [layer]
                except record.RecordError as problem:
                    unreadable.append((folder.name, str(problem)))
        return Listing(tuple(layers), tuple(unreadable))

    def save(self, layer: Layer) -> None:
        """Write the record of a layer; it is on the disk when this returns."""
        with self._lock:
            replace_file(layer.folder / record.NAME, record.written(layer))

    def change(self, session: str, **what: Any) -> Layer:
        """Change what is recorded of a layer as it is now, and return it."""
        with self._lock:
            layer = replace(self.get(session), **what)
            self.save(layer)
            return layer

    def note_landing(self, session: str, said: str, *, cut_off: bool = False) -> None:
        """Keep what became of a landing, for whoever asks later."""
        now = self._clock.now_ms()
        self.change(session, last_landing=said, last_landing_ms=now, last_landing_cut=cut_off)

    def end(self, session: str) -> Layer | None:
        """Take note that the sandbox has ended. A layer to which nothing was written is removed: None then."""
        with self._lock:
            layer = self.get(session)
            if layer.state is not State.OPEN:
                return layer
            if is_untouched(layer):
                self.remove(session)
                return None
            return self.change(session, state=State.ENDED, ended_ms=self._clock.now_ms())

    def go_on(self, earlier: str, session: str) -> Layer:
        """Hand the layer of an ended session to a new one; raise Failure. The old id still names it.

        What it was over must have been opened again before (`site.resurvey`), and stays what is recorded.
        """
        with self._lock:
            layer = self.get(earlier)
            if layer.state is not State.ENDED:
                still = "still open" if layer.state is State.OPEN else "thrown away"
                message = f"The workspace of {earlier} is {still}, so it cannot be resumed."
                raise Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)
            folder = self._place(session)
            layer.folder.rename(folder)  # after a crash here, the record's id counts as an earlier one
            return self.change(session, state=State.OPEN, ended_ms=None)

    def discard(self, session: str) -> None:
        """Throw a layer away: first its record says so, on the disk, then its files are removed."""
        with self._lock:  # from here on nobody can resume it
            layer = self.get(session)
            if layer.state is State.OPEN:
                message = f"The sandbox of {session} still runs. End it first."
                raise Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)
            self.change(session, state=State.DISCARDED, looked_at=True)
        self.remove(session)

    def remove(self, session: str) -> None:
        """Remove a layer with everything in it. What cannot be removed now is tried again at the next start."""
        self._clear(self._take_away(session))

    def _remove_ended(self, session: str) -> bool:
        """Remove a layer unless it was resumed or thrown away since it was listed; say whether it was removed."""
        with self._lock:
            if not any(layer.session == session and layer.state is State.ENDED for layer in self.all().layers):
                return False
            gone = self._take_away(session)
        self._clear(gone)
        return True

    def recover(self) -> list[Layer]:
        """End the layers that an earlier daemon left open, and return them. Quick: `clear` removes what is to go."""
        found = []
        for layer in self.all().layers:
            if layer.state is State.DISCARDED:
                self._take_away(layer.session)
            elif layer.state is State.OPEN and (ended := self.end(layer.session)) is not None:
                found.append(ended)
        return found

    def clear(self) -> None:
        """Finish what an earlier daemon was removing; with millions of files this takes long."""
        with suppress(FileNotFoundError):
            for folder in self._folder.glob(f"{_GONE}*"):
                self._clear(folder)

    def tidy(self, *, keep_seconds: float, room: int) -> list[str]:
        """Remove old layers, and the oldest of those that take too much room; never one that nobody looked at."""
        listing = self.all().layers
        ended = [layer for layer in listing if layer.state is State.ENDED]
        ended.sort(key=lambda layer: layer.ended_ms or 0)
        taken = {layer.session: allocated(layer.folder) for layer in listing}
        total = sum(taken.values())
        removed = []
        for layer in ended:
            age = (self._clock.now_ms() - (layer.ended_ms or 0)) / 1000
            if layer.looked_at and (age > keep_seconds > 0 or total > room) and self._remove_ended(layer.session):
                total -= taken[layer.session]
                removed.append(layer.session)
        return removed

    def supports_overlay(self) -> str:
        """Say why the file system of the layers cannot hold the changes of an overlay; empty if it can."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial = self._folder / f".trial-{os.urandom(8).hex()}"
        try:
            trial.mkdir()
            os.setxattr(trial, _XATTR, b"1")
        except (OSError, AttributeError):
            # Without them the kernel mounts it all the same, and then cannot note that a folder was replaced.
            return f"the file system of {self._folder} keeps no extended attributes"
        finally:
            with suppress(OSError):
                trial.rmdir()
        return ""

    def free(self) -> int:
        """Return how much room the disk of the layers has for us."""
        found = shutil.disk_usage(self._folder)
        return found.free

    def _place(self, session: str) -> Path:
        if not _NAME.fullmatch(session):
            raise ValueError(f"{session!r} is not the id of a session")
        return self._folder / session

    def _read_if_there(self, folder: Path) -> Layer | None:
        """Return the layer in a folder; None if there is no such folder, or it was removed or resumed meanwhile."""
        if not folder.is_dir():
            return None
        try:
            raw = (folder / record.NAME).read_bytes()
        except OSError as problem:
            if not folder.is_dir():
                return None
            raise record.RecordError(f"it cannot be read ({problem.strerror})") from problem
        return record.read(raw, folder)

    def _take_away(self, session: str) -> Path:
        gone = self._folder / f"{_GONE}{session}"
        with self._lock:
            self.get(session).folder.rename(gone)
        return gone

    def _clear(self, folder: Path) -> None:
        try:
            remove_tree(folder)
        except OSError as problem:
            _log.warning("a workspace could not be removed; the next start tries again", reason=str(problem))


def _make_folders(layer: Layer, site: Site) -> None:
    opened = dict(site.opened())
    for part in layer.parts:
        upper, lower = layer.upper(part), opened[part.name]
        upper.mkdir(parents=True)
        if layer.way is Way.OVERLAY:
            layer.scratch(part).mkdir()
        if os.geteuid() == 0:
            os.chown(upper, *lower.owner)
        # The agent sees this mode as that of the folder, and must be able to write.
        upper.chmod(lower.mode | stat.S_IRWXU)


def _start(folder: Path, site: Site) -> Start:
    """Note the moment: by the clock of the file system, because what the person changes is compared with it."""
    place = folder / "index"
    place.touch(mode=0o600)
    began = place.stat().st_ctime_ns
    has_index = site.copy_index(place, most=_MOST_INDEX)
    if not has_index:
        place.unlink()
    boot = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
    return Start(
        wall_ns=began,
        boot_ns=time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)),
        boot_id=boot,
        branch=site.branch,
        commit=site.commit,
        has_index=has_index,
    )
