"""How an overlay's upper folder says what it is a change of: by marks of the kernel.

Only the upper folder is walked, and of the person's folder only what the upper one names; so the cost does not grow
with the person's folder. A character device 0,0 stands for a deleted name, and a folder with the attribute
`user.overlay.opaque` hides everything of the person's below it. The agent can make neither by itself: inside, it
is refused such a device, and such an attribute is stored under another name.
"""

import os
import stat
from collections.abc import Iterable

from daemon.workspaces.looking.base import Then
from daemon.workspaces.looking.handles import same_folder
from daemon.workspaces.reading import Budget, Place, Unreadable, names_in

_MARK = "user.overlay."


class OverlaySide:
    """The marks of an overlay that was mounted with `userxattr`."""

    crosses_mounts = False
    """The kernel lays an overlay over one file system, without what is mounted in it."""
    sees_everything = True

    def is_same_folder(self, agent: int, person: int) -> bool | None:
        """Compare the handle that the kernel kept of the lower folder when it made the upper one."""
        try:
            return same_folder(os.getxattr(agent, _MARK + "origin"), person)
        except OSError:
            return None

    def is_deleted(self, place: Place) -> bool:
        """Say whether it is the kernel's mark of a deleted name."""
        return stat.S_ISCHR(place.status.st_mode) and place.status.st_rdev == 0

    def hides(self, folder: int) -> bool:
        """Say whether a folder hides what the person has below it; raise Unreadable for marks that are not known."""
        try:
            marks = {name for name in os.listxattr(folder) if name.startswith(_MARK)}
            opaque = os.getxattr(folder, _MARK + "opaque") if _MARK + "opaque" in marks else b""
        except OSError as error:
            raise Unreadable(f"its attributes cannot be read ({error.strerror})") from error
        if _MARK + "redirect" in marks or opaque not in {b"", b"y"}:
            raise Unreadable("the kernel kept it in a form that cannot be compared")
        return opaque == b"y"

    def names_before(self, path: str, person: int, budget: Budget) -> Iterable[str]:  # noqa: ARG002
        """Return everything that is in the person's folder: all of it shows through where nothing hides it."""
        return names_in(person, budget)

    def is_untouched(self, path: str, mine: Place) -> bool:  # noqa: ARG002
        """Return False: what is in the upper folder was at least copied up, and is compared."""
        return False

    def known(self, path: str, theirs: Place | None) -> tuple[Then | None, str]:  # noqa: ARG002
        """Return nothing: times, the index and what landed tell."""
        return None, ""
