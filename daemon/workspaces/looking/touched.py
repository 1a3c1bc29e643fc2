"""What a walk over a layer reports of one path: both sides, and what lies beside it in the same folder."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from daemon.workspaces.looking.alike import folded
from daemon.workspaces.looking.base import Then
from daemon.workspaces.looking.git_names import is_git_name
from daemon.workspaces.reading import Place, place_of

LONGEST_PATH = 4095
"""In bytes; no program opens a longer one by its name."""
_MOST_SIBLINGS = 100_000
REPOSITORY = "git takes this folder for a repository, and runs what its configuration names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """One path that may differ. The folders of its places are open until the walk goes on."""

    path: str
    agent: Place | None
    person: Place | None
    refused: str = ""
    """Why it never lands, whatever it holds."""
    conflict: str = ""
    """Why it is a conflict, whatever became of the person's side."""
    then: Then | None = None
    """What became of the person's side, if the walk knows it; otherwise times and the index tell."""
    certain: bool = True
    """False if the time of the person's entry tells nothing, because a folder above it may be another one."""
    later: tuple[str, ...] = ()
    """Why it lands by name only, by what lies beside it."""


def refusal_of(path: str, name: str) -> str:
    """Return why nothing at this path ever lands; empty if it may. `name` is the last name of the path."""
    if is_git_name(name):
        return "git takes it for a repository's own folder, or may on another system"
    if len(os.fsencode(path)) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH:,} bytes"
    return ""


@dataclass(slots=True)
class Siblings:
    """The names in one folder as the agent sees it: those of its own side, and of the person's what shows through."""

    agent: int
    names: Sequence[str]
    person: int | None
    """None where nothing shows through."""
    is_deleted: Callable[[Place], bool]
    _by_form: dict[str, list[str]] | None = None
    _cut: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Say whether a name is there for the agent."""
        mine = place_of(self.agent, name)
        if mine is not None:
            return not self.is_deleted(mine)
        return self.person is not None and place_of(self.person, name) is not None

    def is_repository(self) -> bool:
        """Say whether git takes the folder for a repository."""
        return self.has("HEAD") and (self.has("commondir") or (self.has("objects") and self.has("refs")))

    def later(self, name: str, of_folder: tuple[str, ...], *, new: bool) -> tuple[str, ...]:
        """Return why a name lands by itself only: what holds for the whole folder, and which name it is taken for."""
        reasons = list(of_folder)
        if new:
            others = (each for each in self._forms().get(folded(name), ()) if each != name and self.has(each))
            reasons += [
                f"where case or unseen characters do not count, it takes the place of {other}"
                for other in islice(others, 3)
            ]
        return tuple(reasons)

    def not_seen(self, path: str) -> list[str]:
        """Return what was not compared, in words."""
        return [f"{path or 'the workspace'}: {words}" for words in self._cut]

    def _forms(self) -> dict[str, list[str]]:
        if self._by_form is None:
            self._by_form = {}
            for name in {*self.names, *self._shown_through()}:
                self._by_form.setdefault(folded(name), []).append(name)
        return self._by_form

    def _shown_through(self) -> list[str]:
        if self.person is None:
            return []
        try:
            with os.scandir(self.person) as entries:
                names = [entry.name for entry in islice(entries, _MOST_SIBLINGS + 1)]
        except OSError as error:
            self._cut.append(f"its names in your folder could not be compared with new ones ({error.strerror})")
            return []
        if len(names) > _MOST_SIBLINGS:
            self._cut.append(f"only {_MOST_SIBLINGS:,} of its names were compared with new ones")
        return names
