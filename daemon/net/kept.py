"""Whether a kept connection may still carry a request."""

import asyncio
import select


def has_news(transport: asyncio.BaseTransport | None) -> bool:
    """Say whether something has come on an idle connection that the event loop has not seen yet.

    An idle connection has nothing to receive. What comes is the end of it, or an answer nobody asked for. A request
    that is sent all the same is lost; if it must not be repeated, nobody knows afterwards what became of it.
    """
    if transport is None or transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
