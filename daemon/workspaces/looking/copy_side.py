"""How a copy says what the agent changed: by the manifest of what was copied, with its times and inodes.

The kernel sets the time of a change and no program can, so a file of the copy that still looks as it did right after
copying was not touched. The same look of the person's file says whether they changed it.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable

from daemon.workspaces.layers.manifest import Look, Remembered
from daemon.workspaces.looking.base import Then
from daemon.workspaces.reading import Budget, Place, Unreadable, opened_folder, place_of
from daemon.workspaces.values import Kind

_DEEPEST = 64
NOT_COPIED = "it was left out of the agent's copy, so the agent did not see yours"


class CopySide:
    """The manifest of a copy."""

    crosses_mounts = True
    """What is mounted in the person's folder was copied, too."""
    sees_everything = False
    """What git ignores was left out."""

    def __init__(self, remembered: Iterable[Remembered], *, landed: Collection[str]) -> None:
        """Take what was copied, and the paths that landed since."""
        self._remembered: dict[str, Remembered] = {}
        self._landed = landed
        self._names: dict[str, set[str]] = defaultdict(set)
        for each in remembered:
            self._remembered[each.path] = each
            self._know(each.path)
        for path in landed:
            self._know(path)  # what landed is in the copy, too

    def is_same_folder(self, agent: int, person: int) -> bool | None:  # noqa: ARG002
        """Return True: a file that was moved here with its folder does not look as the manifest says."""
        return True

    def is_deleted(self, place: Place) -> bool:  # noqa: ARG002
        """Return False: what is deleted is not in a copy."""
        return False

    def hides(self, folder: int) -> bool:  # noqa: ARG002
        """Return True: what was copied and is not there any more is deleted."""
        return True

    def names_before(self, path: str, person: int, budget: Budget) -> Iterable[str]:  # noqa: ARG002
        """Return what of a folder was copied, or landed since."""
        return sorted(self._names.get(path, ()))

    def is_untouched(self, path: str, mine: Place) -> bool:
        """Say whether something looks as it did right after it was copied; of a folder, everything in it."""
        remembered = self._remembered.get(path)
        if remembered is None or remembered.kind is not mine.kind:
            return False
        if mine.kind is Kind.FOLDER:
            return path.count("/") < _DEEPEST and self._is_folder_untouched(path, mine)
        return Look.of(mine.status) == remembered.copy

    def known(self, path: str, theirs: Place | None) -> tuple[Then | None, str]:
        """Say what became of the person's side, where the manifest tells."""
        remembered = self._remembered.get(path)
        if path in self._landed or path in self._names:
            return None, ""  # what landed is known by its digest; a folder is judged by what lies in it
        if remembered is None:
            return None, NOT_COPIED if theirs is not None else ""
        if theirs is None or theirs.kind is not remembered.kind:
            return Then.CHANGED, ""
        return (Then.UNCHANGED if Look.of(theirs.status) == remembered.person else Then.CHANGED), ""

    def _know(self, path: str) -> None:
        """Note a path and the folders above it."""
        while path:
            path, _, name = path.rpartition("/")
            if name in self._names[path]:
                return
            self._names[path].add(name)

    def _is_folder_untouched(self, path: str, mine: Place) -> bool:
        try:
            with opened_folder(mine.folder, mine.name) as folder:
                with os.scandir(folder) as entries:
                    names = {entry.name for entry in entries}
                if names != self._names.get(path, set()):
                    return False
                places = {name: place_of(folder, name) for name in names}
                return all(
                    place is not None and self.is_untouched(f"{path}/{name}", place) for name, place in places.items()
                )
        except (OSError, Unreadable):
            return False
