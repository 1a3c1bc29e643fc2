"""Reads which branch and commit a repository is at, by hand and through a descriptor: nothing it names is run."""

import re

from daemon.workspaces.layers.opening import read_below

_REF = "ref:"
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(r"refs/[^\0-\x20\x7f~^:?*\[\\]+")
_MOST_HEAD = 4096
_MOST_PACKED = 64 * 1024**2
_MOST_LINKS = 5


def head(descriptor: int, folder: str, common: str) -> tuple[str, str]:
    """Return the branch that is checked out and its commit; each is empty where there is none or it cannot be told.

    `folder` is where HEAD is, and `common` where the branches are, both below the opened folder.
    """
    said = _text(descriptor, _below(folder, "HEAD"))
    if not said.startswith(_REF):
        return "", said if _ID.fullmatch(said) else ""
    branch = said.removeprefix(_REF).strip()
    if not _NAME.fullmatch(branch) or ".." in branch:
        return "", ""
    return branch, commit_of(descriptor, common, branch)


def commit_of(descriptor: int, common: str, ref: str) -> str:
    """Return the commit a branch is at; empty if it has none yet."""
    for _ in range(_MOST_LINKS):
        said = _text(descriptor, _below(common, ref))
        if not said.startswith(_REF):
            break
        ref = said.removeprefix(_REF).strip()
        if not _NAME.fullmatch(ref) or ".." in ref:
            return ""
    if _ID.fullmatch(said):
        return said
    packed = read_below(descriptor, _below(common, "packed-refs"), most=_MOST_PACKED) or b""
    wanted = f" {ref}".encode("utf-8", "surrogateescape")
    for line in packed.splitlines():
        if line.endswith(wanted) and _ID.fullmatch(found := line[: -len(wanted)].decode("ascii", "replace")):
            return found
    return ""


def _text(descriptor: int, path: str) -> str:
    raw = read_below(descriptor, path, most=_MOST_HEAD) or b""
    return raw.decode("utf-8", "surrogateescape").strip()


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
