"""Finds what the person's own configuration of git points to inside a workspace.

No list of keys is complete, so every value is looked at: each word of it that names a place in the workspace counts.
Relative places start where git starts them: at the top of the workspace, and for included files where the file lies
that names them. Hooks count, too: those that are links, and those that call a program of the workspace.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.workspaces.looking.runs_later import Pointed

_SECONDS = 10.0
_MOST_OUTPUT = 4 << 20
_MOST_HOOK = 64 << 10
_MOST_POINTED = 1000
_WORDS = re.compile(r"""[^\s\0"'`;|&<>(){}=,!]+""")
_NO_PLACE = re.compile(r"\+?refs/")
# Their value is a place, also if nothing is there yet and it has no slash.
_PLACES = re.compile(
    r"(core\.(hookspath|attributesfile|excludesfile|fsmonitor)|include(if\..*)?\.path|init\.templatedir|"
    r"commit\.template|mailmap\.file|blame\.ignorerevsfile|gpg\..*allowedsignersfile)",
    re.IGNORECASE | re.DOTALL,
)
_SWITCH = re.compile(r"true|false|yes|no|on|off|\d*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Top:
    """The folder of a workspace: how it is called in configuration, and the folder itself."""

    path: Path
    opened: int

    @property
    def here(self) -> Path:
        """Return a path that means the opened folder, also if another one has its name meanwhile."""
        by_descriptor = Path(f"/proc/self/fd/{self.opened}")
        return by_descriptor if by_descriptor.parent.is_dir() else self.path  # another system than Linux has none


def read_pointed(workspace: Path, opened: int) -> tuple[Pointed, ...]:
    """Return what the person's configuration of git and their hooks point to in a workspace.

    `workspace` is its path, without links, and `opened` the folder: what is read there is read of that one, because
    by its name another folder could be found meanwhile, or none, and then nothing would seem to be pointed to.
    Empty where this machine has no git: then nothing reads that configuration. Git runs no program for this.
    """
    git = shutil.which("git")
    if git is None:
        return ()
    top = _Top(workspace, opened)
    found: dict[Pointed, None] = {}
    for key, value, origin in _configuration(git, top):
        for place in _places(key, value, origin, top):
            found.setdefault(Pointed(path=place, key=key))
    for place, hook in _hooks(git, top):
        found.setdefault(Pointed(path=place, key=f"hook {hook}"))
    return tuple(found)[:_MOST_POINTED]


def _configuration(git: str, top: _Top) -> Iterator[tuple[str, str, str]]:
    """Yield each key and value of the person's configuration, and the file it stands in."""
    output = _run(git, top, "config", "--list", "-z", "--show-origin", "--includes")
    fields = output.split("\0")
    for origin, setting in zip(fields[::2], fields[1::2], strict=False):
        key, _, value = setting.partition("\n")
        yield key, value, origin.removeprefix("file:") if origin.startswith("file:") else ""


def _places(key: str, value: str, origin: str, top: _Top) -> Iterator[str]:
    """Yield the places inside the workspace that a value names."""
    if _PLACES.fullmatch(key) and not _SWITCH.fullmatch(value):
        start = (top.path / origin).parent if key.lower().startswith("include") else top.path
        yield from _inside(value.strip(), start, top.path)
    yield from _in_command(value, top)


def _in_command(text: str, top: _Top) -> Iterator[str]:
    """Yield the places inside the workspace that the words of a command name: by a slash, or a file that is there."""
    for word in dict.fromkeys(_WORDS.findall(text)):
        if "://" not in word and not _NO_PLACE.match(word) and ("/" in word or _is_file(top.here, word)):
            yield from (place for place in _inside(word, top.path, top.path) if place)


def _inside(word: str, start: Path, top: Path) -> Iterator[str]:
    """Yield a place as it is written and as links lead to it, where that lies inside the workspace."""
    place = os.path.normpath(start / os.path.expanduser(word))  # noqa: PTH111 (an unknown user is left as written)
    for each in dict.fromkeys((place, _real(place))):
        if each == str(top):
            yield ""
        elif each.startswith(f"{top}/"):
            inside = each[len(str(top)) + 1 :]
            if inside.split("/")[0] != ".git":
                yield inside


def _is_file(top: Path, word: str) -> bool:
    try:
        return (top / word).is_file()
    except (OSError, ValueError):
        return False  # too long for a name


def _real(place: str) -> str:
    try:
        return os.path.realpath(place)
    except (OSError, ValueError):
        return place


def _hooks(git: str, top: _Top) -> Iterator[tuple[str, str]]:
    """Yield what the person's hooks in git's own folder are, or call."""
    folder = _run(git, top, "rev-parse", "--git-path", "hooks").rstrip("\n")
    if not folder:
        return
    try:
        hooks = sorted(os.scandir(top.here / folder), key=lambda entry: entry.name)
    except OSError:
        return
    for hook in hooks:
        if hook.name.endswith(".sample"):
            continue
        if hook.is_symlink():
            for place in _inside(str(top.path / folder / hook.name), top.path, top.path):
                yield place, hook.name
        try:
            with open(hook.path, "rb") as file:  # noqa: PTH123 (an entry, not a path)
                text = file.read(_MOST_HOOK)
        except OSError:
            continue
        if b"\0" not in text:
            for place in _in_command(text.decode("utf-8", "surrogateescape"), top):
                yield place, hook.name


def _run(git: str, top: _Top, *arguments: str) -> str:
    """Run a command of git that only reads configuration, and return what it prints; empty if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            # The daemon may be root, and the folder somebody else's.
            [git, "--no-pager", "-c", "safe.directory=*", *arguments],
            cwd=top.here,
            pass_fds=(top.opened,),
            env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout[:_MOST_OUTPUT]) if done.returncode == 0 else ""
