"""A folder for the files of one launch: private, gone at the end, and swept up by the next launch if it was killed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from daemon.base.files import write_new
from daemon.base.platform import is_gone
from launchers.plan import PlacedFile

_PREFIX = "aileron-launch-"


@contextlib.contextmanager
def scratch(environ: Mapping[str, str]) -> Iterator[Path]:
    """Make the folder, and remove it whatever happens."""
    base = _base(environ)
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(files: tuple[PlacedFile, ...], folder: Path) -> None:
    """Put the files of a plan in place; none of them lies outside the folder."""
    for file in files:
        path = Path(file.path)
        if not path.is_relative_to(folder) or ".." in path.parts:
            raise ValueError(f"{path} is not in {folder}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.link_to is not None:
            path.symlink_to(file.link_to)
        else:
            write_new(path, file.text.encode(), durable=False)


def _base(environ: Mapping[str, str]) -> Path:
    # In memory and private, where there is such a folder. The files hold no secret, but others need not read them.
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime)
    return Path(tempfile.gettempdir())


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            mine = folder.stat(follow_symlinks=False).st_uid == os.geteuid() and not folder.is_symlink()
            if mine and owner.isdecimal() and is_gone(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)
