"""Environments that hold one wheel of ours, what it declares, and nothing else. They are made without any network."""

import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NEVER_LINKED = {"..", "__pycache__", "."}


class CleanEnvironment:
    """A virtual environment beside the one that the tests run in."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        self.packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        self._uv("pip", "install", "--offline", "--no-index", "--no-deps", str(wheel))
        (installed,) = self.packages.glob("aileron_*.dist-info")
        for name in _closure(Distribution.at(installed)):
            self._link(distribution(name))
        self._uv("pip", "check")

    def run(self, *words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, without anything of the checkout's on the path."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AILERON", "VIRTUAL"))
        }
        return subprocess.run(
            [self.python, *words],
            cwd=folder,
            env=kept | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def _link(self, found: Distribution) -> None:
        for top in {file.parts[0] for file in found.files or ()} - _NEVER_LINKED:
            place, here = self.packages / top, Path(str(found.locate_file(top)))
            if top.endswith(".dist-info"):
                shutil.copytree(here, place)  # what describes a package is not seen through a link
            elif not place.exists():
                place.symlink_to(here)

    def _uv(self, *words: str) -> None:
        uv = Path(sys.executable).with_name("uv")
        done = subprocess.run(
            [uv, "--no-cache", *words, "--python", self.python],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _closure(ours: Distribution) -> set[str]:
    """Return the names of what a distribution declares, and of what that declares."""
    found: set[str] = set()
    waiting = [(ours, frozenset[str]())]
    seen = set()
    while waiting:
        one, extras = waiting.pop()
        for line in one.requires or ():
            required = Requirement(line)
            wanted = required.marker is None or any(
                required.marker.evaluate({"extra": extra}) for extra in (*extras, "")
            )
            name = canonicalize_name(required.name)
            if wanted and (name, frozenset(required.extras)) not in seen:
                seen.add((name, frozenset(required.extras)))
                found.add(name)
                waiting.append((distribution(name), frozenset(required.extras)))
    return found
