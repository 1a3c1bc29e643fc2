"""What of a workspace runs on the host later, and is therefore read-only inside: pure, over a view of the folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

State = Literal["file", "folder", "empty", "link", "absent"]
Look = Callable[[str], State]

FOLDER = None
READ_ONLY: dict[str, str | None] = {
    ".git/hooks": FOLDER,
    ".git/config": "",
    ".git/info": FOLDER,
    ".git/modules": FOLDER,
    ".git/worktrees": FOLDER,
    ".gitmodules": "",
    ".githooks": FOLDER,
    ".husky": FOLDER,
    ".pre-commit-config.yaml": "",
    "lefthook.yml": "",
    ".envrc": "",
    ".direnv": FOLDER,
    ".mise.toml": "",
    "mise.toml": "",
    ".vscode": FOLDER,
    ".idea": FOLDER,
    ".zed": FOLDER,
    ".exrc": "",
    ".nvim.lua": "",
    ".nvimrc": "",
    ".devcontainer": FOLDER,
    ".devcontainer.json": "{}\n",
    ".mcp.json": "{}\n",
    ".claude": FOLDER,
    ".codex": FOLDER,
    ".cursor": FOLDER,
    ".gemini": FOLDER,
    ".goosehints": "",
    ".opencode": FOLDER,
    "opencode.json": "{}\n",
    "opencode.jsonc": "{}\n",
    ".pi": FOLDER,
    ".aileron": FOLDER,
}
"""What git, editors, shells and agents of the host run or obey when they meet it. Where a file is not there, one that
says nothing takes its place while the sandbox lives."""

NOT_HELD = (".git/commondir", ".git/config.worktree")
"""Git would stumble over a placeholder here; what appears at these places is moved aside when the sandbox ends."""

_GIT = ".git"
OBEYED = frozenset(PurePosixPath(path).parts[0] for path in READ_ONLY)
"""The same by name, for the folders below."""


class ProtectionError(Exception):
    """Something in the workspace cannot be protected: what it is, and what to do."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One path of the workspace that is mounted by itself."""

    path: str
    read_only: bool
    absent: bool
    """Nothing is there, so something empty is made to mount, and taken away in the end."""


def mounts(look: Look) -> list[Mount]:
    """Return what is mounted over a workspace, what lies above first."""
    return list(_mounts(look))


def _mounts(look: Look) -> Iterator[Mount]:
    git = look(_GIT)
    _refuse_link(_GIT, git)
    inside_git = git == "folder"
    if inside_git:
        # By itself, so that it cannot be renamed, and another one put in its place.
        yield Mount(_GIT, read_only=False, absent=False)
    else:
        # What is empty is no repository, and may be the placeholder of another sandbox. A file there points to a
        # repository elsewhere. Nothing there could become a repository with hooks.
        yield Mount(_GIT, read_only=True, absent=git == "absent")
    for path in READ_ONLY:
        if PurePosixPath(path).parts[0] == _GIT and not inside_git:
            continue
        state = look(path)
        _refuse_link(path, state)
        yield Mount(path, read_only=True, absent=state == "absent")

    for path in NOT_HELD if inside_git else ():
        state = look(path)
        _refuse_link(path, state)
        if state != "absent":
            yield Mount(path, read_only=True, absent=False)


def _refuse_link(path: str, state: State) -> None:
    if state == "link":
        raise ProtectionError(
            f"{path} in this folder is a symbolic link, so what it points to cannot be kept from the agent. "
            "Put the file itself there, or work in another folder."
        )
