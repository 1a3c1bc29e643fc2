"""Says which names are git's own folder, or are mistaken for it by git or a file system, here or on another system."""

import re

from daemon.workspaces.looking.alike import taken_for

_SHORT = re.compile(r"git~\d+")


def is_git_name(name: str) -> bool:
    """Say whether a single name is `.git`, or may become it.

    In any case, with characters that macOS ignores, with dots, spaces or a stream that Windows ignores, and as
    the short name that Windows makes of it (`git~1`).
    """
    # A backslash is a separator on Windows, so each part of a name with one counts.
    return any(_is_git(part) for part in name.split("\\"))


def _is_git(name: str) -> bool:
    plain = taken_for(name)
    return plain == ".git" or _SHORT.fullmatch(plain) is not None
