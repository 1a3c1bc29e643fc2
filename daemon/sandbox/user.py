"""Chooses the user of an agent: never root, and one whose files belong to the owner of the folder. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.container_options import ANCHOR_UID


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, and what its permissions say."""

    path: str
    owner: int
    group: int
    mode: int


YOU_WHEN_ROOTLESS = "0:0"
"""A rootless engine has its own numbers: its root is who runs it, and has no right there that you have not."""


def user_for(
    *, caller: tuple[int, int], owner: tuple[int, int], wanted: str | None, workspace: str, rootless: bool = False
) -> str:
    """Return uid:gid, or raise Failure with what to do."""
    user = _wanted_or_owner(caller=caller, owner=owner, wanted=wanted, workspace=workspace, rootless=rootless)
    if int(user.partition(":")[0]) == ANCHOR_UID:
        raise _refused(
            f"An agent cannot be user {ANCHOR_UID}: the process that ends a sandbox has that number, and the agent "
            "could stop it. Give the folder to somebody else, or name another user: --user UID"
        )
    return user


def _wanted_or_owner(
    *, caller: tuple[int, int], owner: tuple[int, int], wanted: str | None, workspace: str, rootless: bool
) -> str:
    if rootless:
        if wanted is not None:
            raise _refused("In a rootless engine an agent runs as you, and as nobody else: leave --user away.")
        return YOU_WHEN_ROOTLESS
    if wanted is not None:
        uid, _, gid = wanted.partition(":")
        if not uid.isdecimal() or not (gid or uid).isdecimal() or int(uid) == 0:
            raise _refused(f"--user takes UID or UID:GID, as numbers, and not root: {wanted!r} is not that.")
        return f"{int(uid)}:{int(gid or uid)}"
    if caller[0] != 0:
        return f"{caller[0]}:{caller[1]}"
    if owner[0] != 0:
        return f"{owner[0]}:{owner[1]}"
    raise _refused(
        f"You are root and so is the owner of {workspace}, and an agent does not run as root. Give the folder to "
        f"somebody else (chown -R 1000:1000 {workspace}), or name a user who may write there: --user 1000"
    )


def check_may_enter(user: str, folders: Iterable[Folder]) -> None:
    """Raise Failure if a user may not list and enter one of these folders: an agent would die there at once."""
    uid, _, gid = user.partition(":")
    for folder in folders:
        shift = 6 if folder.owner == int(uid) else 3 if folder.group == int(gid) else 0
        if folder.mode >> shift & 0o5 != 0o5:
            raise _refused(
                f"User {user} may not read {folder.path}, so no agent can work there. Allow it "
                f"(chmod o+rx {shlex.quote(folder.path)}), give the folder to that user "
                f"(chown -R {user} {shlex.quote(folder.path)}), or name another user: --user UID"
            )


def _refused(message: str) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER)
