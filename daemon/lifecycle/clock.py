"""The machine's clock, for the edge where services are built."""

import time


class SystemClock:
    """Reads the time of the machine."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()
