"""The file by which the daemon of a restored home knows that it is one."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from daemon.base.files import sync_folder
from daemon.custody.contents import RESTORED
from daemon.custody.manifest import About

_UNKNOWN = About(version="?", revision="?", made_at="?", head_seq=0, head_hash="?")


def restored_from(home: Path) -> About | None:
    """Return which backup a home came out of, as long as that was not taken up; raises OSError."""
    try:
        raw = (home / RESTORED).read_bytes()
    except FileNotFoundError:
        return None
    with suppress(ValueError, TypeError):
        return About.from_json(json.loads(raw))
    return replace(_UNKNOWN)  # the file is damaged, and the home is restored all the same


def taken_up(home: Path) -> None:
    """Forget it, for good."""
    (home / RESTORED).unlink(missing_ok=True)
    sync_folder(home)
