"""Looks at a workspace for what must be protected, and makes and removes the placeholders for what is not there."""

import contextlib
import hashlib
import json
import os
import stat
import time
from pathlib import Path

from daemon.sandbox.protection import NOT_HELD, OBEYED, READ_ONLY, Mount, State, mounts

_MOST_LOOKED_AT = 5000
_MOST_SECONDS = 5.0
_MOST_FOUND = 20
RECORD = "placeholders.json"
"""What was made in a workspace, in the folder of its sandbox."""
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
        if not stat.S_ISDIR(mode):
            return "file"
        return "folder" if any((workspace / path).iterdir()) else "empty"

    return mounts(look)


def hold(workspace: Path, *, record: Path) -> list[Mount]:
    """Make what is mounted where nothing is, and return what is mounted; raise ProtectionError.

    Written down first, so that whoever comes later can remove it.
    """
    wanted = look_at(workspace)
    owner = workspace.stat()
    missing = [mount.path for mount in wanted if mount.absent]
    watched = [path for path in NOT_HELD if not (workspace / path).exists()]
    there = [mount.path for mount in wanted if mount.read_only and not mount.absent]
    written = {
        "workspace": str(workspace),
        "placeholders": missing,
        "watched": watched,
        "seen": {path: _look_of(workspace / path) for path in there},
    }
    record.write_text(json.dumps(written))
    for path in missing:
        place = workspace / path
        text = READ_ONLY.get(path)
        with contextlib.suppress(FileExistsError):  # the daemon of another home was quicker
            if text is None:
                place.mkdir(mode=0o755)
            else:
                with place.open("x", encoding="utf-8") as file:
                    file.write(text)
        if os.geteuid() == 0:
            os.chown(place, owner.st_uid, owner.st_gid)
    return wanted


def hand_over(record: Path, heir: Path) -> None:
    """Leave the placeholders to another sandbox of the same workspace: removing one would take its mount away there."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        mine, theirs = json.loads(record.read_text()), json.loads(heir.read_text())
        theirs["placeholders"] = list(dict.fromkeys([*theirs["placeholders"], *mine["placeholders"]]))
        theirs["seen"] = {path: look for path, look in theirs["seen"].items() if path not in mine["placeholders"]}
        heir.write_text(json.dumps(theirs))
        mine["placeholders"] = []
        record.write_text(json.dumps(mine))


def clear_placeholders(record: Path) -> tuple[list[str], list[str]]:
    """Remove those that are as they were made, and move aside what git must not obey.

    Return what was moved, and what of the protected is not as it was: somebody on the host changed it, and when they
    replaced it by another file, the protection inside went with the old one.
    """
    moved: list[str] = []
    changed: list[str] = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        written = json.loads(record.read_text())
        workspace = Path(written["workspace"])
        changed = [path for path, look in written["seen"].items() if _look_of(workspace / path) != look]
        for path in reversed(written["placeholders"]):
            _remove(workspace / path, READ_ONLY.get(path))
        for path in written["watched"]:
            place = workspace / path
            if place.is_symlink() or place.exists():
                place.rename(place.with_name(f"{place.name}.{_QUARANTINE}"))
                moved.append(path)
        record.unlink()
    return moved, changed


def look_below(workspace: Path, *, since_ns: int) -> tuple[list[str], bool]:
    """Return what tools of the host would obey in the folders below, if it is newer; and whether everything was seen.

    There it cannot be held: nobody knows beforehand where the folders will be. The time is that of the change of the
    entry itself, which no program sets at will.
    """
    found: list[str] = []
    until = time.monotonic() + _MOST_SECONDS
    folders = [str(workspace)]
    while folders:
        folder = folders.pop()
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in OBEYED and folder != str(workspace):
                    if _newer(entry, since_ns):
                        found.append(os.path.relpath(entry.path, workspace))
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
        if time.monotonic() > until or len(found) >= _MOST_FOUND:
            return sorted(found), False
    return sorted(found), True


def _newer(entry: "os.DirEntry[str]", since_ns: int) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return entry.stat(follow_symlinks=False).st_ctime_ns >= since_ns
    top = Path(entry.path)
    # Of a repository, what git runs or obeys: working in it changes the rest.
    inside = (top / "config", top / "hooks") if entry.name == ".git" else (top,)
    paths = [path for part in inside for path in (part, *part.rglob("*"))][:_MOST_LOOKED_AT]
    with contextlib.suppress(OSError):
        return any(path.lstat().st_ctime_ns >= since_ns for path in paths if path.is_symlink() or path.exists())
    return True


def _look_of(place: Path) -> str:
    """Return what changes when a file does, or anything in a folder."""
    looks = []
    for path in [place, *sorted(place.rglob("*"))][:_MOST_LOOKED_AT]:
        with contextlib.suppress(OSError):
            found = path.lstat()
            looks.append(f"{path} {found.st_mode} {found.st_size} {found.st_mtime_ns} {found.st_ino}")
    return hashlib.sha256("\n".join(looks).encode()).hexdigest()


def _remove(place: Path, text: str | None) -> None:
    """Remove a placeholder; one that somebody on the host filled is theirs."""
    with contextlib.suppress(OSError):
        if text is None:
            place.rmdir()
        elif place.is_file() and not place.is_symlink() and place.read_text(encoding="utf-8") == text:
            place.unlink()
