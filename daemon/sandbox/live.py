"""An agent that works on the person's folder itself: what is mounted read-only over it, and what is said at the end.

A folder that is held is a volume of its own, named by a descriptor. A file cannot be one, so a copy of it that lies in
our own home is mounted over it: by a path, but by one that nobody else can change.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.core.visible import visible
from daemon.sandbox.volumes import Mounted, folder
from daemon.workspaces.layers.inside import WORKSPACE
from daemon.workspaces.layers.opening import Opened, hold, not_opened, open_below, read_below, refused
from daemon.workspaces.layers.site import Site
from daemon.workspaces.looking.holding import Held, obeyed_since, of_repository, to_hold
from daemon.workspaces.looking.pointed import read_pointed

RISK = (
    "The agent works on your folder itself (--workspace live). What it makes there that your tools run, they may run "
    "before you have seen it. Use no git, editor or shell in that folder until the sandbox has said what is new."
)
_GIT = ".git"
_MOST_FILE = 16 * 1024**2
_SHOWN = 5


@dataclass(slots=True, kw_only=True)
class Protected:
    """What is mounted for one sandbox. Whoever has it closes it."""

    began_ns: int
    mounts: list[Mounted] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Close the folders."""
        for each in self.opened:
            each.close()


def protect(site: Site, session: str, copies: Path) -> Protected:
    """Open what must be held, and describe every mount; raise Failure if something of git's cannot be held."""
    copies.mkdir(mode=0o700)
    protected = Protected(began_ns=copies.stat().st_ctime_ns)
    name = f"aileron-{session}"
    try:
        protected.mounts.append(folder(f"{name}-work", site.work, inside=WORKSPACE))
        _hold_git(site, protected, name, copies)
        found = to_hold(site.work.descriptor, read_pointed(site.work.path, site.work.descriptor))
        _hold(protected, found, site.work, WORKSPACE, f"{name}-held", copies)
        _note(protected, found)
        for number, each in enumerate(site.borrowed):
            volume = folder(f"{name}-borrowed-{number}", each.opened, inside=each.inside, read_only=True)
            protected.mounts.append(volume)
    except BaseException:
        protected.close()
        raise
    return protected


def look_through(site: Site, protected: Protected) -> dict[str, Any]:
    """Return what the person should look at, and what could not be looked at."""
    found, not_seen = obeyed_since(site.work.descriptor, protected.began_ns)
    told = (("new_below", found), ("not_looked_at", not_seen))
    return {key: [visible(each) for each in what] for key, what in told if what}


def _hold_git(site: Site, protected: Protected, name: str, copies: Path) -> None:
    if site.git is not None:
        protected.mounts.append(folder(f"{name}-git", site.git, inside=site.git_inside))
        found = of_repository(site.git.descriptor, "", worktree=True)
        _refuse_links(found, site.git)
        _hold(protected, found, site.git, site.git_inside, f"{name}-of-git", copies)
    elif site.git_folder == _GIT:
        # By itself, so that it cannot be renamed, and another one put in its place.
        opened = _opened(protected, site.work, _GIT)
        protected.mounts.append(folder(f"{name}-git", opened, inside=f"{WORKSPACE}/{_GIT}"))
        found = of_repository(site.work.descriptor, _GIT, worktree=False)
        _refuse_links(found, site.work)
        _hold(protected, found, site.work, WORKSPACE, f"{name}-of-git", copies)
    else:
        _hold(protected, _git_file(site), site.work, WORKSPACE, f"{name}-of-git", copies)


def _git_file(site: Site) -> Held:
    there = read_below(site.work.descriptor, _GIT, most=_MOST_FILE) is not None
    return Held(files=[_GIT] if there else [])


def _hold(protected: Protected, found: Held, base: Opened, inside: str, name: str, copies: Path) -> None:
    for number, path in enumerate(found.folders):
        opened = _opened(protected, base, path)
        protected.mounts.append(folder(f"{name}-{number}", opened, inside=f"{inside}/{path}", read_only=True))
    for number, path in enumerate(found.files):
        content = read_below(base.descriptor, path, most=_MOST_FILE)
        if content is None:
            protected.notes.append(f"{visible(path)} is not kept from the agent: it cannot be read, or is too large.")
            continue
        place = copies / f"{name}-file-{number}"
        place.write_bytes(content)
        place.chmod(0o644)
        protected.mounts.append(Mounted(source=str(place), inside=f"{inside}/{path}", read_only=True, bind=True))


def _opened(protected: Protected, base: Opened, path: str) -> Opened:
    try:
        opened = hold(open_below(base.descriptor, path), base.path / path)
    except OSError as problem:  # it was there a moment ago; unheld, the agent could change it
        raise not_opened(base.path / path, problem) from problem
    protected.opened.append(opened)
    return opened


def _refuse_links(found: Held, base: Opened) -> None:
    for path in found.links:
        raise refused(
            f"{base.path / path} is a symbolic link, so what it points to cannot be kept from an agent that works on "
            "the folder itself. Put the file itself there, or launch without --workspace live."
        )


def _note(protected: Protected, found: Held) -> None:
    if found.links:
        protected.notes.append(f"Not kept from the agent, because they are links: {_listed(found.links)}.")
    if found.more:
        protected.notes.append("This folder is large: not everything in it that tools obey is kept from the agent.")


def _listed(paths: Iterable[str]) -> str:
    shown = [visible(path) for path in paths]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
