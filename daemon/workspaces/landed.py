"""What became of a landing: plain values, for those who ask for one, and for the log."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.workspaces.values import Entry


class LandingError(Exception):
    """Nothing landed, or what had been begun was undone: why, and what to do, in words."""


class NotUndone(LandingError):
    """A landing failed, and undoing it failed, too. Its journal stays; the next start tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedPath:
    """One path that is in the person's folder now as the agent had it."""

    path: str
    old: Entry | None
    """What lay there before; None if nothing did."""
    new: Entry | None
    """What lies there since; None where landing deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLanded:
    """One path that was chosen and did not land."""

    path: str
    why: str
    kept: str = ""
    """Where a copy of what would be lost otherwise lies, relative to `layer.kept`; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What became of the chosen changes. Each landed, is a conflict, or was refused."""

    paths: tuple[LandedPath, ...] = ()
    conflicts: tuple[NotLanded, ...] = ()
    """One side changed after the person looked; theirs stays, and a copy of the agent's is kept."""
    refused: tuple[NotLanded, ...] = ()
    """Paths of a kind that never lands, also if somebody chose them."""
    late: tuple[NotLanded, ...] = ()
    """Of what landed: where a program still wrote to the old file afterwards. A copy of that is kept."""

    def digests(self) -> dict[str, str]:
        """Return what `layer.landed` takes in: the path, and the digest of what lies there since; `-` if deleted."""
        return {each.path: "-" if each.new is None else each.new.digest for each in self.paths}


class Ending(StrEnum):
    """What a recovery found and did."""

    NOTHING = "nothing"
    """No landing had been cut off."""
    UNDONE = "undone"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a recovery did with a landing that was cut off."""

    ending: Ending
    note: str = ""
    """What the landing was begun with, such as the id of its event in the log."""
    landed: Landed = Landed()
    """What had landed, if it was finished."""
    left: tuple[NotLanded, ...] = ()
    """Paths that were changed after the cut, and were left as they are; what lay there before is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """What the start of a daemon did with the files of a landing that was cut off."""

    ending: Ending = Ending.NOTHING
    landed: Landed = Landed()
    """What had landed, if it was finished."""
    problem: str = ""
    """Why it can be neither undone nor finished yet; then its journal stays for the next start."""
