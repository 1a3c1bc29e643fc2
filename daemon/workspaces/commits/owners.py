"""Gives what root wrote into a person's repository to whoever owns it, who could not change it otherwise."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.workspaces.commits.host_git import Repository


def give(repository: Repository, paths: Iterable[Path]) -> None:
    """Give files and folders to the owner of a repository, if that is somebody else than us. Links are not followed."""
    owner = repository.owner
    if owner is None:
        return
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
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
