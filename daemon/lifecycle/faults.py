"""Lets a crash test end the process at a named point: AILERON_FAULT=name, or name:3 for the third time."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from daemon.core.faults import NO_FAULTS, FaultPoints


class EnvironmentFaults:
    """Kills the process at the wanted hit of the wanted point, as a power cut would."""

    def __init__(self, *, name: str, count: int, log: Path | None) -> None:
        self._name = name
        self._left = count
        self._log = log

    def hit(self, name: str) -> None:
        """Note that the named point was reached; do not come back if it is the one."""
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(f"{name}\n")
        if name == self._name:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def faults_from(environment: Mapping[str, str]) -> FaultPoints:
    """Return the faults that the environment asks for; ordinarily none."""
    wanted = environment.get("AILERON_FAULT", "")
    log = environment.get("AILERON_FAULT_LOG", "")
    if not wanted and not log:
        return NO_FAULTS
    name, _, count = wanted.partition(":")
    return EnvironmentFaults(name=name, count=int(count) if count.isdecimal() else 1, log=Path(log) if log else None)
