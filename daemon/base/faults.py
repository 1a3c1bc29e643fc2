"""Named points at which the crash harness may end the process; in ordinary runs they do nothing."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class FaultPoints(Protocol):
    """Is told when the daemon reaches a named point, such as `audit.before_commit`."""

    def hit(self, name: str) -> None:
        """Note that the named point was reached."""
        ...


class _NoFaults:
    def hit(self, name: str) -> None:
        """Do nothing."""


NO_FAULTS: FaultPoints = _NoFaults()


class FileFaults:
    """Kills the process at the point that a file names: `audit.before_commit`, or `audit.before_commit:3`.

    The file may be written while the daemon runs; the hits are counted from then on. Names are noted in a log, so that
    a test can find out which points there are.
    """

    def __init__(self, *, wanted: Path | None, log: Path | None) -> None:
        self._wanted = wanted
        self._log = log
        self._counted = ("", 0)

    def hit(self, name: str) -> None:
        """Note that the named point was reached; kill this process if the file names it."""
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(f"{name}\n")
        if self._wanted is None:
            return
        try:
            spec = self._wanted.read_text().strip()
        except FileNotFoundError:
            return
        point, _, count = spec.partition(":")
        if name != point:
            return
        hits = self._counted[1] + 1 if self._counted[0] == spec else 1
        self._counted = (spec, hits)
        if hits >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)


def faults_from(environment: Mapping[str, str]) -> FaultPoints:
    """Return the faults that the environment asks for; ordinarily none."""
    wanted, log = environment.get("AILERON_FAULT_FILE"), environment.get("AILERON_FAULT_LOG")
    if not wanted and not log:
        return NO_FAULTS
    return FileFaults(wanted=Path(wanted) if wanted else None, log=Path(log) if log else None)
