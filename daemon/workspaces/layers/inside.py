"""Where folders of the person are seen in a container: pure."""

import posixpath
from pathlib import PurePosixPath

WORKSPACE = "/workspace"
_NOT_BELOW = tuple(
    PurePosixPath(path)
    for path in (
        WORKSPACE,
        "/opt/aileron",
        *("/run", "/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot"),
    )
)
"""What belongs to the container itself. A mount there would put the agent's files in place of its programs."""
_NOT_OVER = (*_NOT_BELOW, PurePosixPath("/tmp"), PurePosixPath("/home/agent"))  # noqa: S108 - inside the container


def seen_from(folder: str, written: str) -> str:
    """Return where a path leads that a file in a folder of the container holds; `..` never leads above the root."""
    path = posixpath.normpath(posixpath.join(folder, written))
    return f"/{path.lstrip('/')}"


def may_be_mounted(path: str) -> bool:
    """Say whether something of the person may be mounted at a path of the container."""
    place = PurePosixPath(path)
    if not place.is_absolute() or len(place.parts) < 3 or "\0" in path:
        return False
    return not any(place.is_relative_to(kept) for kept in _NOT_BELOW) and not any(
        kept.is_relative_to(place) for kept in _NOT_OVER
    )


def is_within(path: str, folder: str) -> bool:
    """Say whether a path of the container is a folder, or lies in it."""
    return PurePosixPath(path).is_relative_to(folder)
