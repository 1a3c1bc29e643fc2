"""A repository of ours in which a pack from a container is looked at before anything of it reaches the person's.

It borrows the person's objects, so that a pack need not bring what is there already. It has a configuration of its own,
no hooks and no refs. It lies below the home, where no container and nobody else reaches it.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.workspaces.commits.failures import refused, too_large
from daemon.workspaces.commits.host_git import Bounds, HostGit, Repository
from daemon.workspaces.commits.pack_sizes import PackBounds, check_sizes
from daemon.workspaces.commits.packed import Packed
from daemon.workspaces.commits.trees import Findings, check_tree, read_tree

_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n"
_SHA256 = "[extensions]\n\tobjectFormat = sha256\n"
_TREES_AT_ONCE = 32 * 1024**2
_LONGEST_TREE = 32 * 1024**2
_ALL_TREES = 1024**3
_SHA256_ID = 32
_SHA1_ID = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """The repository, with what is known of the pack in it."""

    folder: Path
    git: HostGit
    sha256: bool

    @classmethod
    def make(cls, folder: Path, repository: Repository, bounds: Bounds) -> "Quarantine":
        """Make an empty one over a repository of the person's; what was in the folder goes."""
        sha256 = is_sha256(HostGit.of(repository, bounds))
        discard(folder)
        for name in ("objects/info", "objects/pack", "refs"):
            (folder / name).mkdir(parents=True, mode=0o700)
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(_CONFIG.format(version=int(sha256)) + (_SHA256 if sha256 else ""))
        (folder / "objects/info/alternates").write_bytes(_quoted(repository.objects) + b"\n")
        shallow = repository.common_dir / "shallow"
        if shallow.is_file():
            # Where the person's history is cut off, nothing behind it can be asked for.
            (folder / "shallow").write_bytes(shallow.read_bytes())
        return cls(folder=folder, git=HostGit(git_dir=folder, bounds=bounds), sha256=sha256)

    @classmethod
    def reopen(cls, folder: Path, bounds: Bounds) -> "Quarantine":
        """Return one that an earlier daemon made, and in which it found nothing wrong."""
        git = HostGit(git_dir=folder, bounds=bounds)
        return cls(folder=folder, git=git, sha256=is_sha256(git))

    @property
    def pack(self) -> Path | None:
        """Return the pack that was taken in."""
        return next(iter(sorted((self.folder / "objects/pack").glob("pack-*.pack"))), None)

    def take(self, packed: Packed, bounds: PackBounds, *, most: int) -> None:
        """Take in a pack, or raise Failure: every object whole, nothing missing, nothing that git finds fault with."""
        if packed.size > most:
            raise too_large(f"The pack of the agent's commits has {packed.size} bytes, and at most {most} may land.")
        with packed.open() as opened:
            check_sizes(opened, packed.size, id_bytes=self.id_bytes, bounds=bounds)
        alone = self.folder / "taken.pack"
        with packed.open() as opened, alone.open("wb") as copy:
            shutil.copyfileobj(_Limited(opened, packed.size), copy)
        with alone.open("rb") as given:
            fine, _, said = self.git.attempt(
                "index-pack", "--stdin", "--strict", f"--max-input-size={most}", given=given
            )
        alone.unlink()
        if not fine:
            raise refused(
                f"Git does not take the agent's commits: {said or 'it was ended, because they need too much'}"
            )

    def new_trees(self) -> Findings:
        """Look at every tree of the pack; raise Failure for what is never taken, and return what else was seen."""
        findings = Findings()
        if self.pack is None:
            return findings
        listed = self.git.run("show-index", *self._format(), given=self.pack.with_suffix(".idx").read_bytes())
        ids = [line.split(b" ")[1] for line in listed.splitlines()]
        sizes = self.git.run("cat-file", "--batch-check=%(objecttype) %(objectsize) %(objectname)", given=_lines(ids))
        trees = [line.split(b" ") for line in sizes.splitlines() if line.startswith(b"tree ")]
        longest = max((int(size) for _, size, _ in trees), default=0)
        if longest > _LONGEST_TREE or sum(int(size) for _, size, _ in trees) > _ALL_TREES:
            raise too_large("The folders in the agent's commits have more names than are looked at.")
        for group in _grouped((int(size), found) for _, size, found in trees):
            for raw in self.contents(group):
                check_tree(read_tree(raw, self.id_bytes), findings)
        return findings

    def contents(self, ids: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what objects hold, all of which must be there."""
        said = self.git.run("cat-file", "--batch", given=_lines(ids))
        place = 0
        while place < len(said):
            end = said.index(b"\n", place)
            size = int(said[place:end].rsplit(b" ", 1)[1])
            yield said[end + 1 : end + 1 + size]
            place = end + size + 2

    def types(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the types of those objects that are there."""
        asked = _lines(found.encode() for found in ids)
        if not asked:
            return {}
        said = self.git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", given=asked).decode()
        found = (line.split(" ") for line in said.splitlines())
        return {fields[0]: fields[1] for fields in found if len(fields) == 2 and fields[1] != "missing"}

    @property
    def id_bytes(self) -> int:
        """Return how long an id is."""
        return _SHA256_ID if self.sha256 else _SHA1_ID

    def _format(self) -> tuple[str, ...]:
        return ("--object-format=sha256",) if self.sha256 else ()


def discard(folder: Path) -> None:
    """Remove a quarantine."""
    if folder.exists():
        shutil.rmtree(folder)


def is_sha256(git: HostGit) -> bool:
    """Say whether the ids of a repository are SHA-256."""
    fine, out, _ = git.attempt("rev-parse", "--show-object-format")
    return fine and out.strip() == b"sha256"


class _Limited:
    """The beginning of a file, as something that can be read."""

    def __init__(self, file: "object", size: int) -> None:
        self._file = file
        self._left = size

    def read(self, count: int = -1) -> bytes:
        """Read on."""
        wanted = self._left if count < 0 else min(count, self._left)
        piece: bytes = self._file.read(wanted)  # type: ignore[attr-defined]
        self._left -= len(piece)
        return piece


def _grouped(trees: Iterable[tuple[int, bytes]]) -> Iterator[list[bytes]]:
    """Put ids together whose objects are small enough to be read at once."""
    group: list[bytes] = []
    total = 0
    for size, found in trees:
        if group and total + size > _TREES_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(found)
        total += size + 100
    if group:
        yield group


def _lines(ids: Iterable[bytes]) -> bytes:
    return b"".join(found + b"\n" for found in ids)


def _quoted(path: Path) -> bytes:
    """Write a path as git quotes one in its list of alternates, so that no name in it ends the line."""
    plain = (bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in bytes(path))
    return b'"' + b"".join(plain) + b'"'
