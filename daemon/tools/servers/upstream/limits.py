"""How much of a server's time, memory and questions one connection takes."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one connection to a server."""

    start_seconds: float = 30.0
    """How long a server may take until it has said who it is."""
    probe_seconds: float = 3.0
    """A server that is silent on the question of the modern era is greeted in the older way after this, too."""
    stream_seconds: float = 2.0
    """How long the first call waits for the stream on which a server of the older era asks back."""
    message_bytes: int = 16 * MEBIBYTE
    """A longer line, event or body is dropped while it comes, and never held."""
    pages: int = 200
    definitions: int = 20_000
    """How much is read of one list."""
    questions: int = 10
    """How often a server may ask back during one request; as a rule a server asks once."""
    open_questions: int = 16
    """How many questions of one connection may be open at the same time."""
    unasked_each_second: int = 2000
    """A server that says more that nobody asked for is read more slowly, so that it does not take the processor."""
    resumptions: int = 5
    """How often an answer that broke off is asked for again without anything new having come."""
