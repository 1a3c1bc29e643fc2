"""The actions a person has installed: one file each, read again when it changed, never from a stale copy."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from daemon.core.action import Action
from daemon.core.action_parser import parse_action
from daemon.core.digests import file_hash
from daemon.core.documents import decode_document
from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass

_SUFFIX = ".md"
_DISABLED_SUFFIX = ".disabled"
_MAX_FILE = 256 * 1024

Fingerprint = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledAction:
    """An action file as it was read: its text, its hash, and what it means or why it means nothing."""

    name: str
    path: Path
    text: str
    hash: str
    enabled: bool
    action: Action | None
    problem: DocumentError | None

    @property
    def state(self) -> str:
        """Return ready, disabled or broken."""
        if self.action is None:
            return "broken"
        return "ready" if self.enabled else "disabled"


class ActionCatalog:
    """Finds installed actions by name; a file is parsed once for each time it changes."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[Fingerprint, InstalledAction]] = {}
        self._version = 0

    @property
    def folder(self) -> Path:
        """Return where the files are."""
        return self._folder

    @property
    def version(self) -> int:
        """Return a number that grows each time somebody found what an agent may see other than it was.

        It says nothing of what nobody has looked at since; `all` looks.
        """
        return self._version

    def names(self) -> list[str]:
        """Return the names of all installed actions, enabled or not, well-formed or not.

        Raises Failure if the folder cannot be read: that must not look like a folder with nothing in it.
        """
        try:
            with os.scandir(self._folder) as entries:
                found = [e.name.removesuffix(_SUFFIX) for e in entries if e.name.endswith(_SUFFIX) and e.name[0] != "."]
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise Failure(
                FailureClass.INTERNAL_ERROR,
                f"The folder of the actions ({self._folder}) cannot be read: {problem.strerror}.",
                boundary=Boundary.RUNTIME,
            ) from problem
        return sorted(found)

    def all(self) -> list[InstalledAction]:
        """Return every installed action."""
        names = self.names()
        for gone in self._read.keys() - set(names):
            self._forget(gone)
        installed = []
        for name in names:
            entry = self.find(name)
            if entry is not None:
                installed.append(entry)
        return installed

    def find(self, name: str) -> InstalledAction | None:
        """Return one installed action as its file stands now."""
        if "/" in name or "\0" in name or name.startswith("."):
            return None
        path = self._folder / f"{name}{_SUFFIX}"
        try:
            status = path.lstat()
        except (FileNotFoundError, OSError):
            self._forget(name)
            return None
        fingerprint = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._read.get(name)
        enabled = not self._marker(name).exists()
        if known is not None and known[0] == fingerprint and known[1].enabled == enabled:
            return known[1]
        entry = _load(name, path, status, enabled=enabled)
        self._read[name] = (fingerprint, entry)
        if known is None or (known[1].hash, known[1].state) != (entry.hash, entry.state):
            self._version += 1
        return entry

    def require(self, name: str) -> InstalledAction:
        """Return one installed action, or say how to find out which there are."""
        entry = self.find(name)
        if entry is None:
            raise Failure(
                FailureClass.NOT_FOUND,
                f"There is no action named {name!r}. `aileron action list` shows those there are.",
                boundary=Boundary.ACTION,
            )
        return entry

    def runnable(self, name: str) -> tuple[InstalledAction, Action]:
        """Return an action that may be run: installed, well-formed and enabled."""
        entry = self.require(name)
        if entry.action is None:
            raise Failure(
                FailureClass.INVALID_ARGUMENTS,
                f"The action {name!r} cannot run, because its file breaks a rule: {entry.problem}",
                boundary=Boundary.ACTION,
            )
        if not entry.enabled:
            raise Failure(
                FailureClass.CAPABILITY_DENIED,
                f"The action {name!r} is disabled. A person can enable it with `aileron action enable {name}`.",
                boundary=Boundary.ACTION,
            )
        return entry, entry.action

    def set_enabled(self, name: str, *, enabled: bool) -> InstalledAction:
        """Enable or disable an action; a marker beside its file says so, so that the file itself keeps its hash."""
        self.require(name)
        marker = self._marker(name)
        if enabled:
            marker.unlink(missing_ok=True)
        else:
            marker.touch(mode=0o600)
        return self.require(name)

    def _forget(self, name: str) -> None:
        if self._read.pop(name, None) is not None:
            self._version += 1

    def _marker(self, name: str) -> Path:
        return self._folder / f"{name}{_DISABLED_SUFFIX}"


def _load(name: str, path: Path, status: os.stat_result, *, enabled: bool) -> InstalledAction:
    raw = b""
    action: Action | None = None
    problem: DocumentError | None = None
    text = ""
    try:
        if not stat.S_ISREG(status.st_mode):
            raise _broken(path, "is not a regular file.", "Replace the link or device with the file itself.")
        if status.st_size > _MAX_FILE:
            raise _broken(path, f"is larger than {_MAX_FILE} bytes.", "An action is a short file; shorten its text.")
        raw = path.read_bytes()
        text = decode_document(raw, str(path))
        action = parse_action(text, file=str(path))
    except DocumentError as broken:
        problem = broken
    except OSError as unreadable:
        problem = _broken(path, f"cannot be read: {unreadable.strerror}.", "Check its permissions.")
    return InstalledAction(
        name=name, path=path, text=text, hash=file_hash(raw), enabled=enabled, action=action, problem=problem
    )


def _broken(path: Path, problem: str, remedy: str) -> DocumentError:
    return DocumentError(file=str(path), line=None, problem=f"The file {problem}", remedy=remedy)
