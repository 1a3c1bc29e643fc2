"""Looks at a workspace for what must be protected, and makes and removes the placeholders for what is not there."""

import contextlib
import json
import os
import stat
from pathlib import Path

from daemon.sandbox.protection import NOT_HELD, READ_ONLY, Mount, State, mounts

_QUARANTINE = "moved-by-aileron"


def look_at(workspace: Path) -> list[Mount]:
    """Return what is mounted over a workspace; raise ProtectionError."""

    def look(path: str) -> State:
        try:
            mode = (workspace / path).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        if stat.S_ISLNK(mode):
            return "link"
        return "folder" if stat.S_ISDIR(mode) else "file"

    return mounts(look)


def make_placeholders(workspace: Path, wanted: list[Mount], *, record: Path) -> None:
    """Make what is mounted where nothing is; written down first, so that whoever comes later can remove it."""
    owner = workspace.stat()
    missing = [mount.path for mount in wanted if mount.absent]
    watched = [path for path in NOT_HELD if not (workspace / path).exists()]
    record.write_text(json.dumps({"workspace": str(workspace), "placeholders": missing, "watched": watched}))
    for path in missing:
        place = workspace / path
        text = READ_ONLY.get(path)
        if text is None:
            place.mkdir(mode=0o755)
        else:
            with place.open("x", encoding="utf-8") as file:
                file.write(text)
        if os.geteuid() == 0:
            os.chown(place, owner.st_uid, owner.st_gid)


def clear_placeholders(record: Path) -> list[str]:
    """Remove those that are as they were made, and move aside what git must not obey; return what was moved."""
    moved: list[str] = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        written = json.loads(record.read_text())
        workspace = Path(written["workspace"])
        for path in reversed(written["placeholders"]):
            _remove(workspace / path, READ_ONLY.get(path))
        for path in written["watched"]:
            place = workspace / path
            if place.is_symlink() or place.exists():
                place.rename(place.with_name(f"{place.name}.{_QUARANTINE}"))
                moved.append(path)
        record.unlink()
    return moved


def _remove(place: Path, text: str | None) -> None:
    """Remove a placeholder; one that somebody on the host filled is theirs."""
    with contextlib.suppress(OSError):
        if text is None:
            place.rmdir()
        elif place.is_file() and not place.is_symlink() and place.read_text(encoding="utf-8") == text:
            place.unlink()
