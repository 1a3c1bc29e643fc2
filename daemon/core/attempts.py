"""One try at one request that left for a service."""

from typing import Any, NamedTuple


class AttemptRecord(NamedTuple):
    """Where a request went, what came back, and whether bytes may have left."""

    number: int
    method: str
    host: str
    path: str
    status: int | None
    error: str | None
    bytes_sent: bool
    ms: int

    def as_json(self) -> dict[str, Any]:
        """Return the record as logs and answers hold it."""
        return {
            "number": self.number,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "status": self.status,
            "error": self.error,
            "bytes_sent": self.bytes_sent,
            "ms": self.ms,
        }
