"""Finds names that some file system takes for one: they differ only by case, Unicode form or unseen characters."""

import unicodedata

from daemon.core.visible import is_hidden


def folded(name: str) -> str:
    """Return a form that is the same for names that a file system without case takes for one."""
    if name.isascii():
        return name.lower()
    # A byte that is not UTF-8 stays: it tells two names apart everywhere.
    kept = "".join(each for each in name if "\ud800" <= each <= "\udfff" or not is_hidden(each))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", kept).casefold())


def taken_for(name: str) -> str:
    """Return the name that a tool may take this one for: also dots and spaces at the end, and what follows a colon, go.

    Windows ignores the first and takes the second for a part of the same file.
    """
    return folded(name).partition(":")[0].rstrip(". ")
