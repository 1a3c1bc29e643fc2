"""Which names of branches and tags are taken from an agent: git's own rules, and some more. Pure.

A name becomes a path below the person's `.git/refs`, and a word on command lines and screens. So besides what git
forbids, a name may not begin with a dash, hold what cannot be seen, or be one that git itself gives a meaning to.
"""

from collections.abc import Iterable

from daemon.core.visible import visible

HEADS = "refs/heads/"
TAGS = "refs/tags/"
_LONGEST = 240
_LONGEST_PART = 200
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f")
_SPECIAL = frozenset({"HEAD", "FETCH_HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "-"})


def problem(name: str) -> str | None:
    """Say what is wrong with the name of a branch or tag (without `refs/heads/`), or return None."""
    raw = name.encode("utf-8", "surrogateescape")
    if not name or len(raw) > _LONGEST:
        return "it is empty or too long"
    if visible(name) != name:
        return "it has characters that cannot be seen or told apart"
    if any(character in _FORBIDDEN or character < " " for character in name) or "@{" in name or ".." in name:
        return "git forbids a character in it"
    for part in name.split("/"):
        if (
            not part
            or part.startswith((".", "-"))
            or part.endswith((".", ".lock"))
            or len(part.encode()) > _LONGEST_PART
        ):
            return "git forbids a part of it"
    if name in _SPECIAL or name == "@" or name.startswith("refs/"):
        return "git gives this name another meaning"
    return None


def clash(name: str, others: Iterable[str]) -> str | None:
    """Return a name that cannot be beside this one: the same but for case, or one is a folder of the other."""
    folded = name.casefold()
    for other in others:
        theirs = other.casefold()
        if theirs == folded or theirs.startswith(f"{folded}/") or folded.startswith(f"{theirs}/"):
            return other
    return None
