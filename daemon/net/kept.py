"""Whether a kept connection may still carry a request."""

import asyncio
import select


def has_news(transport: asyncio.BaseTransport | None) -> bool:
    """Say whether something has come on an idle connection that the event loop has not seen yet.

    Nothing should come on an idle connection. If something does, it is the end of the connection, or an answer that
    nobody asked for. A request sent on it would be lost, and if it must not be repeated, its outcome would be unknown.
    """
    if transport is None or transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
