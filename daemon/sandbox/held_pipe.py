"""A named pipe that the daemon holds open for an anchor, which ends when it is closed.

The kernel closes it when the daemon dies. So the end of a sandbox depends neither on the engine nor on anything that
the agent could stop.
"""

import os
from pathlib import Path

PIPE = "alive"


class HeldPipe:
    """The daemon's end; nothing is ever written to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def make(cls, folder: Path) -> "HeldPipe":
        """Make the pipe in a folder that only the anchor sees, and hold it."""
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # another user reads it inside; outside, the folder above it is closed to them
        pipe = folder / PIPE
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        pipe.chmod(0o644)  # the anchor has another user, and reads
        # For both directions, so that neither this nor the anchor waits for the other one to open it.
        return cls(os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def close(self) -> None:
        """Close the pipe: the anchor ends, and with it everything in the sandbox."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
