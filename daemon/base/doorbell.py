"""Wakes one thread from another, without making it wait for the interpreter lock at once.

Locks, conditions and queues of the library, and `call_soon_threadsafe`, wake a thread while the one that wakes it still
holds the interpreter lock. The woken one runs into that lock, sleeps again, and is woken a second time. A write to a
pipe gives the lock up meanwhile. That is two switches of threads less for every durable event.
"""

import os
import select

_LONGEST_SECONDS = 86_400.0
_RINGS_AT_ONCE = 4096


class Doorbell:
    """Any thread may ring; one thread waits, or one event loop watches the descriptor."""

    def __init__(self) -> None:
        self.descriptor, self._button = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._button, False)
        self._poll = select.poll()
        self._poll.register(self.descriptor, select.POLLIN)

    def ring(self) -> None:
        """Wake whoever waits, or else the next who does; it may happen that several rings wake it once."""
        try:
            os.write(self._button, b"\0")
        except BlockingIOError:
            return  # so many rings that nobody has heard yet are enough

    def wait(self, seconds: float | None) -> bool:
        """Wait for a ring, at most so many seconds; say whether there was one."""
        if not self._poll.poll(None if seconds is None else min(seconds, _LONGEST_SECONDS) * 1000):
            return False
        os.read(self.descriptor, _RINGS_AT_ONCE)  # only who waits reads, so the ring is still there
        return True

    def silence(self) -> None:
        """Forget the rings up to now; what they were about must be looked at afterwards."""
        try:
            os.read(self.descriptor, _RINGS_AT_ONCE)
        except BlockingIOError:
            return  # none

    def close(self) -> None:
        """Take it down; nobody may ring or wait any more."""
        os.close(self.descriptor)
        os.close(self._button)
