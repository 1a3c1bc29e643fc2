"""What the container that packs commits is asked (sandbox_image/inside/pack_commits.py)."""

import json
import os
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from daemon.workspaces.layers.layer import Layer

SCRATCH = "/tmp"  # noqa: S108 - inside the container
_SECONDS = 10.0
_NOBODY = ("Aileron", "aileron@localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How the commit of what was not committed is written, by author and committer alike.

    The same time gives the same commit for the same files, so that what was shown can be compared with what lands.
    """

    name: str
    email: str
    time: int
    """In seconds; written as UTC."""
    message: str


def request(
    *,
    place: str,
    have: Collection[str],
    sha256: bool,
    snapshot: Snapshot | None = None,
    seconds: int = 300,
    scratch: str = SCRATCH,
) -> bytes:
    """Return the request: for the working tree at a place in the container, what the person does not have."""
    asked = {
        "place": place,
        "scratch": scratch,
        "sha256": sha256,
        "have": sorted(have),
        "snapshot": None if snapshot is None else asdict(snapshot),
        "seconds": seconds,
    }
    return json.dumps(asked).encode()


def snapshot_of(layer: Layer) -> Snapshot:
    """Return how the commit of what was not committed in a layer is written.

    In the person's name, as their git has it for this folder (ours, where it has none), at the time when the session
    ended; for one that has not, when it began.
    """
    name, email = (_configured(Path(layer.work.source), key) for key in ("user.name", "user.email"))
    ended = layer.ended_ms if layer.ended_ms is not None else layer.start.wall_ns // 1_000_000
    return Snapshot(
        name=name or _NOBODY[0],
        email=email or _NOBODY[1],
        time=ended // 1000,
        message=f"Uncommitted work of {layer.agent}\n\nIt was not committed when session {layer.session} was landed.\n",
    )


def _configured(folder: Path, key: str) -> str:
    """Ask the person's git for a setting, as it would have it in a folder; it runs no program for that."""
    git = shutil.which("git")
    if git is None:
        return ""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        said = subprocess.run(
            [git, "-c", "safe.directory=*", "config", "--get", key],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.decode(errors="replace").strip()
