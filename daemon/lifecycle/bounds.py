"""How much one listener lets its callers take: connections, time before a request is there, size of a head."""

from dataclasses import dataclass

from daemon.base.platform import open_files_limit

_RESERVE = 1024
_MOST_UNASKED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerBounds:
    """The limits of one listener. All callers of a listener share them: they are one sandbox, or one machine."""

    most_open: int = 2048
    """Connections at once. A further one takes the place of one that is not being answered, or is closed."""
    most_unasked: int = _MOST_UNASKED
    """Of these, connections that have sent no whole head yet. The one that came first makes room for a further one."""
    below_descriptor: int | None = None
    """Accept nothing while the next free descriptor has this number or a higher one; None: as long as there is one."""
    head_seconds: float = 10.0
    """How long a head may take, and before it the TLS handshake."""
    body_seconds: float = 30.0
    """How long a body may stop, and how long it may be slower than `slowest_body`."""
    slowest_body: int = 1024
    """Bytes a second. Time in which we do not read, because the next one down the line is slow, does not count."""
    unwanted_seconds: float = 10.0
    """How long the rest of a body may go on to come after the request was answered; it is thrown away."""
    idle_seconds: float = 75.0
    """How long a connection is kept between two requests."""
    closing_seconds: float = 60.0
    """How long a connection that was closed may wait for its peer to read the rest."""
    most_head: int = 32 * 1024
    """Bytes of a head; also of what comes between the pieces of a body."""
    most_headers: int = 100
    most_pipelined: int = 8
    """Requests that wait behind the one that is being answered."""
    look_seconds: float = 1.0
    """How often the times are looked at."""


def control_bounds() -> ListenerBounds:
    """Return the limits of the control API: it may use the descriptors that no agent gets."""
    return ListenerBounds(most_open=_reserve() * 3 // 4, most_unasked=min(_MOST_UNASKED, _reserve() // 4))


def agent_bounds(most_open: int) -> ListenerBounds:
    """Return the limits of a listener for agents.

    The system hands out the lowest free number, so the next number tells how many are in use. Agents get
    numbers below one half of what is left beside the reserve; the other half is for the connections to services and
    model providers that their requests open.
    """
    ceiling = (open_files_limit() - _reserve()) // 2
    return ListenerBounds(
        most_open=most_open, most_unasked=min(_MOST_UNASKED, most_open // 2), below_descriptor=ceiling
    )


def _reserve() -> int:
    return min(_RESERVE, open_files_limit() // 4)
