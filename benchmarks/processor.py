"""How much processor time a process has used: what a run computes, however long it waits."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds in a program's own code, and in the kernel on its behalf."""

    user: float
    system: float

    @classmethod
    def of(cls, process: int) -> "ProcessorTime":
        """Return what a process has used, all of its threads together."""
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return cls(int(fields[11]) / ticks, int(fields[12]) / ticks)

    def each(self, before: "ProcessorTime", count: int) -> "ProcessorTime":
        """Return what each of so many runs has used since a moment before."""
        return ProcessorTime((self.user - before.user) / count, (self.system - before.system) / count)

    @property
    def both(self) -> float:
        """Return the seconds of both kinds."""
        return self.user + self.system

    def __str__(self) -> str:
        """Return it in milliseconds."""
        return f"{self.both * 1e3:5.2f} ms ({self.user * 1e3:.2f} user, {self.system * 1e3:.2f} system)"


def middle(times: list[ProcessorTime]) -> ProcessorTime:
    """Return the one of the middle."""
    return sorted(times, key=lambda each: each.both)[len(times) // 2]
