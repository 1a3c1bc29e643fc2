"""The actions a person has installed: one file each, read again when it changed, never from a stale copy."""

import hashlib
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

    def names(self) -> list[str]:
        """Return the names of all installed actions, enabled or not, well-formed or not."""
        try:
            with os.scandir(self._folder) as entries:
                found = [e.name.removesuffix(_SUFFIX) for e in entries if e.name.endswith(_SUFFIX) and e.name[0] != "."]
        except FileNotFoundError:
            return []
        return sorted(found)

    def all(self) -> list[InstalledAction]:
        """Return every installed action."""
        installed = []
        for name in self.names():
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
            self._read.pop(name, None)
            return None
        fingerprint = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._read.get(name)
        enabled = not self._marker(name).exists()
        if known is not None and known[0] == fingerprint and known[1].enabled == enabled:
            return known[1]
        entry = _load(name, path, status, enabled=enabled)
        self._read[name] = (fingerprint, entry)
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

    def fingerprint(self) -> str:
        """Return a digest of what an agent may see: it changes when an action is added, edited, enabled or disabled."""
        digest = hashlib.sha256()
        for entry in self.all():
            digest.update(f"{entry.name}\0{entry.hash}\0{entry.state}\n".encode())
        return digest.hexdigest()

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
