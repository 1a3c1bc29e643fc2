"""What a server does that no server should do: counted, and said in the log without its content."""

from collections import Counter

import structlog

_log = structlog.get_logger("daemon.servers")


class Oddities:
    """Counts oddities of one server. Each kind is logged at its 1st, 10th, 100th ... time: no flood fills the log."""

    def __init__(self, server: str) -> None:
        self.counts: Counter[str] = Counter()
        self._server = server

    def note(self, what: str) -> None:
        """Count one oddity."""
        self.counts[what] += 1
        count = self.counts[what]
        digits = str(count)
        if digits[0] == "1" and not digits[1:].strip("0"):
            _log.warning("a server does not keep to the protocol", server=self._server, what=what, times=count)
