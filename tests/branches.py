"""Measures which branches of the pure rooms the tests take, in the processes that run the tests.

`make test` asks for it: BRANCHES_TO names a folder, each process writes a file there at its end, and
scripts/branch_floor reads them. Only rooms that are tested in the process of the tests are measured: a daemon that a
test starts is a process of its own, which is often killed, and what it did is not seen here.
"""

import json
import os
from pathlib import Path
from typing import Any

import slipcover

ROOT = Path(__file__).parent.parent
MEASURED = ("daemon/core", "launchers")


class Branches:
    """Marks every branch of the measured rooms while it is imported; made before anything of them is."""

    def __init__(self, folder: str) -> None:
        places = [str(ROOT / place) for place in MEASURED]
        self._folder = Path(folder).absolute()
        self._found = slipcover.Slipcover(branch=True, source=places)
        self._imports = slipcover.ImportManager(self._found, slipcover.FileMatcher(sources=places))
        self._imports.__enter__()

    def write(self) -> None:
        """Write what this process has seen; whoever reads puts the files of all processes together."""
        self._imports.__exit__(None, None, None)
        seen: dict[str, Any] = self._found.get_coverage()
        files = {Path(name).resolve().relative_to(ROOT).as_posix(): found for name, found in seen["files"].items()}
        self._folder.mkdir(exist_ok=True)
        (self._folder / f"{os.getpid()}.json").write_text(json.dumps({"files": files}))
