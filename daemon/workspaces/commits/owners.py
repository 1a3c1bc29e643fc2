"""Gives what root wrote into a person's repository to whoever owns it, who could not change it otherwise."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.workspaces.commits.host_git import Repository

_GONE = (FileNotFoundError, NotADirectoryError)
"""What is not there any more needs no other owner."""


def give(repository: Repository, paths: Iterable[Path]) -> None:
    """Give files and folders to the owner of a repository, if that is somebody else than us. Links are not followed."""
    with contextlib.suppress(*_GONE):
        owner = repository.owner
        if owner is not None:
            _give_to(owner, paths)


def _give_to(owner: tuple[int, int], paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(*_GONE):
            seen = path.lstat()
            if seen.st_uid == os.geteuid():
                os.chown(path, *owner, follow_symlinks=False)


def give_refs(repository: Repository, refs: Iterable[str]) -> None:
    """Give the files of refs that were moved, with their folders and their logs."""
    give(repository, _files(repository, refs))


def _files(repository: Repository, refs: Iterable[str]) -> Iterator[Path]:
    common = repository.common_dir
    yield common / "packed-refs"
    yield repository.git_dir / "logs" / "HEAD"
    for ref in refs:
        for top in (common, common / "logs"):
            place = top / ref
            while place != top:
                yield place
                place = place.parent
    yield common / "logs"
