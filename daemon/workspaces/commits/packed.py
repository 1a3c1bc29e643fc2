"""Reads what the container that packs commits wrote. Only its form is checked here; its content is checked later."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from daemon.workspaces.commits.failures import conflict, refused

FIRST = b"aileron commits 1\n"
LAST = b"\naileron end\n"
_LENGTH_BYTES = 8
_LONGEST_HEAD = 32 * 1024**2
_UNREADABLE = "What came out of the container that packs commits cannot be read: "

Id = Annotated[str, StringConstraints(pattern=re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?\Z"))]


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    problem: str | None
    head: str | None
    refs: Annotated[list[tuple[str, Id]], Field(strict=False)]
    snapshot: Id | None
    nested: list[str]
    left_out: Annotated[list[tuple[str, str]], Field(strict=False)]
    pack: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What the container says of the agent's repository, and where the pack is in the file."""

    file: Path
    head: str | None
    """The branch that is checked out; None if none is."""
    refs: tuple[tuple[str, str], ...]
    snapshot: str | None
    nested: tuple[str, ...]
    """Repositories inside the workspace that are no part of it, so nothing of them is in the snapshot."""
    left_out: tuple[tuple[str, str], ...]
    """What could not be packed, and why."""
    start: int
    size: int
    """Where the pack is, and how long; 0 for none."""

    def open(self) -> BinaryIO:
        """Open the file at the beginning of the pack; what is behind its end must not be read."""
        opened = self.file.open("rb")
        opened.seek(self.start)
        return opened


def read_packed(file: Path) -> Packed:
    """Read what a container wrote into a file; raises Failure if it is not whole, or tells of a problem."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        if opened.read(len(FIRST)) != FIRST:
            raise refused(f"{_UNREADABLE}it does not begin as it must.")
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "big")
        if length > _LONGEST_HEAD:
            raise refused(f"{_UNREADABLE}its head is too long.")
        raw = opened.read(length)
        start = opened.tell()
        opened.seek(max(start, size - len(LAST)))
        if opened.read() != LAST:
            raise refused(f"{_UNREADABLE}it ended too early.")
    try:
        head = _Head.model_validate_json(raw)
    except ValidationError as problem:
        raise refused(f"{_UNREADABLE}{problem.errors()[0]['msg']}.") from None
    if head.problem is not None:
        raise conflict(f"What the agent committed cannot be packed: {head.problem[:1000]}")
    rest = size - len(LAST) - start
    if head.pack != bool(rest):
        raise refused(f"{_UNREADABLE}its head and its length do not fit.")
    return Packed(
        file=file,
        head=head.head,
        refs=tuple(head.refs),
        snapshot=head.snapshot,
        nested=tuple(head.nested),
        left_out=tuple(head.left_out),
        start=start,
        size=rest,
    )
