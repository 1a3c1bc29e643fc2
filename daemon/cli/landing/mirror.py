"""A plain copy of the changed files of a workspace, for an editor to look at while the agent works.

It holds regular files only, readable and nothing else. No link, nothing of git and nothing that an editor or a shell
would obey in that folder is copied, so opening the folder runs nothing.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from daemon.base.files import replace_file
from daemon.cli.failure import CliFailure
from daemon.core.later import EXECUTABLE
from daemon.core.wire_paths import from_wire

Content = Callable[[str], bytes]
"""Returns a file of the agent's side, or raises CliFailure if there is none any more."""

_MARK = ".aileron-mirror"
_FILE_MODE = 0o444
_FOLDER_MODE = 0o755


def is_copied(item: Mapping[str, Any]) -> bool:
    """Say whether a changed path belongs into the copy."""
    agent = item["agent"]
    is_file = agent is not None and agent["kind"] == "file"
    obeyed = [why for why in item["later"] if why != EXECUTABLE]  # the copy cannot be executed
    return is_file and not item["refused"] and not obeyed and not str(item["path"]).startswith(_MARK)


class Mirror:
    """One folder of copies, ours from the first file on; a mark in it says whose workspace it shows."""

    def __init__(self, folder: Path, *, session: str, workspace: str, home: Path) -> None:
        self._folder = folder.resolve()
        self._session = session
        self._refuse_places(workspace, home)
        self._take()
        self._held: dict[str, str] = {}

    def update(self, items: Iterable[Mapping[str, Any]], content: Content) -> list[str]:
        """Bring the copies up to date; return the paths that could not be copied."""
        wanted = {str(each["path"]): str(each["agent"]["digest"]) for each in items if is_copied(each)}
        for path in [path for path in self._held if path not in wanted]:
            self._remove(path)
        failed: list[str] = []
        for path, digest in wanted.items():
            if self._held.get(path) == digest:
                continue
            try:
                self._write(path, content(path))
            except (CliFailure, OSError):  # the agent removed it meanwhile, or put something else there
                failed.append(path)
                continue
            self._held[path] = digest
        return failed

    def _refuse_places(self, workspace: str, home: Path) -> None:
        for place, what in ((Path(workspace), "the workspace"), (home.resolve(), "the home of Aileron")):
            if self._folder == place or place in self._folder.parents or self._folder in place.parents:
                raise CliFailure.usage(f"the copy cannot be in {what} or around it: {self._folder}")

    def _take(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = self._folder / _MARK
        entries = sorted(self._folder.iterdir())
        if entries and (mark.is_symlink() or not mark.is_file()):
            raise CliFailure.usage(
                f"{self._folder} is not empty, and is no copy of ours", remedy="Name an empty folder."
            )
        for entry in entries:
            _clear(entry)
        mark.write_text(f"Copies of what {self._session} changed, by aileron session watch. Changes here go nowhere.\n")

    def _write(self, path: str, content: bytes) -> None:
        target = self._place(path)
        for folder in reversed([each for each in target.parents if self._folder in each.parents]):
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                folder.unlink()  # it was a file before, and is a folder now
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            _clear(target)
        replace_file(target, content, mode=_FILE_MODE, durable=False)

    def _remove(self, path: str) -> None:
        target = self._place(path)
        del self._held[path]
        with contextlib.suppress(OSError):
            target.unlink()
            for folder in target.parents:
                if folder == self._folder:
                    break
                folder.rmdir()  # until one that still holds something

    def _place(self, path: str) -> Path:
        names = from_wire(path).split("/")
        if any(name in ("", ".", "..") or "\0" in name for name in names):
            raise OSError(f"{path!r} is no path below a folder")
        return self._folder.joinpath(*names)


def _clear(place: Path) -> None:
    import shutil

    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()
