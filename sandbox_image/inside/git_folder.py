"""Reads where the agent's repository is and what its refs say, by hand: git itself would obey the configuration there.

Everything below the workspace is the agent's, so every file is opened without waiting (a fifo would hold us), read up
to a bound, and believed in nothing: whoever gets the names and ids from here checks them again.
"""

import os
import re
import stat

_LONGEST_FILE = 64 * 1024**2
_LONGEST_LINE = 4096
_MOST_REFS = 20_000
_MOST_HOPS = 5
_WANTED = ("refs/heads/", "refs/tags/")
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class NoRepositoryError(Exception):
    """There is nothing here that could be packed; why, in words."""


class GitFolder:
    """The git folder of one working tree: its own part, and the part that all worktrees of a repository share."""

    def __init__(self, own: str, common: str) -> None:
        self.own = own
        self.common = common
        self._packed: dict[str, str] = {}
        for line in read(f"{common}/packed-refs").splitlines():
            found, _, name = line.partition(b" ")
            if _ID.fullmatch(found) and len(self._packed) < _MOST_REFS:
                self._packed[os.fsdecode(name)] = found.decode()

    @classmethod
    def find(cls, place: str) -> "GitFolder":
        """Find the git folder of a working tree, as git would: a folder, or a file that names one."""
        own = f"{place}/.git"
        if not os.path.lexists(own):
            raise NoRepositoryError(f"{place} is no git repository.")
        if not os.path.isdir(own):
            own = _pointed(place, read(own, _LONGEST_LINE), b"gitdir: ")
        shared = read(f"{own}/commondir", _LONGEST_LINE)
        common = _pointed(own, shared, b"") if shared else own
        if os.path.isdir(f"{common}/reftable"):
            raise NoRepositoryError("The repository keeps its refs as a reftable, which is not supported.")
        if not os.path.isdir(f"{common}/objects"):
            raise NoRepositoryError(f"{common} is no git folder: it has no objects.")
        return cls(own, common)

    def head(self) -> "tuple[str | None, str | None]":
        """Return the branch that is checked out, None for none, and its commit, None before the first."""
        said = read(f"{self.own}/HEAD", _LONGEST_LINE).strip()
        if said.startswith(b"ref: "):
            name = os.fsdecode(said[5:].strip())
            return name, self.value(name)
        return None, said.decode() if _ID.fullmatch(said) else None

    def value(self, name: str) -> "str | None":
        """Return the id that a ref holds, through refs that name others; None for none."""
        for _ in range(_MOST_HOPS):
            if not name.startswith("refs/") or ".." in name or "\0" in name:
                return None
            said = read(f"{self.common}/{name}", _LONGEST_LINE).strip()
            if said.startswith(b"ref: "):
                name = os.fsdecode(said[5:].strip())
                continue
            return said.decode() if _ID.fullmatch(said) else self._packed.get(name)
        return None

    def refs(self) -> "dict[str, str | None]":
        """Return branches and tags with their ids; None for one that cannot be read. Raises if there are too many."""
        names = {name for name in self._packed if name.startswith(_WANTED)}
        for wanted in _WANTED:
            top = f"{self.common}/{wanted}"
            for folder, _, files in os.walk(top):
                names.update(os.path.join(folder, file)[len(self.common) + 1 :] for file in files)
                if len(names) > _MOST_REFS:
                    raise NoRepositoryError(f"The repository has more than {_MOST_REFS} branches and tags.")
        return {name: self.value(name) for name in sorted(names) if not name.endswith(".lock")}

    def detached_worktrees(self) -> "list[str]":
        """Return the names of other worktrees that are on no branch."""
        try:
            names = sorted(os.listdir(f"{self.common}/worktrees"))[:_MOST_REFS]
        except OSError:
            return []
        others = [name for name in names if f"{self.common}/worktrees/{name}" != self.own]
        return [name for name in others if _ID.fullmatch(read(f"{self.common}/worktrees/{name}/HEAD", 100).strip())]


def read(path: str, most: int = _LONGEST_FILE) -> bytes:
    """Return the beginning of a regular file; nothing for what is not there, is something else or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        try:
            return file.read(most)
        except OSError:
            return b""


def _pointed(start: str, line: bytes, prefix: bytes) -> str:
    """Return the folder that a line names, as seen from another one."""
    line = line.rstrip(b"\r\n")
    if not line.startswith(prefix) or not line[len(prefix) :] or b"\0" in line:
        raise NoRepositoryError(f"{start} is no git working tree: its .git file names no folder.")
    return os.path.normpath(os.path.join(start, os.fsdecode(line[len(prefix) :])))
