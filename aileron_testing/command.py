"""Finds the command `aileron`, which is the only part of Aileron that this package needs."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from aileron_testing.errors import AileronError

VARIABLE = "AILERON_COMMAND"
_NAME = "aileron"


def find_command(named: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> Path:
    """Return the program to run; raise AileronError if there is none.

    What the test names comes first, then what AILERON_COMMAND names, then the program beside the Python that runs the
    tests, then the PATH. What was named and is not there is an error: the next best could be another release.
    """
    for source, wanted in (("aileron=", named), (VARIABLE, environment.get(VARIABLE))):
        if wanted:
            found = shutil.which(wanted, path=environment.get("PATH"))
            if found is None:
                raise AileronError(f"{source} names {os.fspath(wanted)}, and there is no such program.")
            return Path(found).absolute()
    beside = Path(sys.executable).with_name(_NAME)
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(_NAME, path=environment.get("PATH"))
    if found is None:
        raise AileronError(
            f"There is no command {_NAME} beside {sys.executable} or on the PATH. Install aileron-runtime into an "
            f"environment of its own, then name its command with {VARIABLE} or with AileronSandbox(aileron=...)."
        )
    return Path(found).absolute()
