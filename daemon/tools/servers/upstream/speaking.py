"""Finds out for whom a line is that a server writes for the log. Pure."""

from collections.abc import Iterable

from daemon.tools.servers.upstream.levels import is_wanted
from daemon.tools.servers.upstream.seam import LogLines, Message
from daemon.tools.servers.upstream.slots import Slot

METHOD = "notifications/message"
_NOBODYS = frozenset({"initialize", "server/discover", "tools/list", "logging/setLevel", "subscriptions/listen"})
"""Requests that are made for no agent."""


def hearer(params: Message, asked_for: Slot | None, under_way: Iterable[Slot]) -> LogLines | None:
    """Return who hears a line; None if nobody wants it, or nobody can say whose it is.

    Over one pipe a line does not say to which request it belongs. It may be about any that is under way, so it is heard
    only if all of them are of one session that wants to hear it: never by another session.
    """
    slots = [asked_for] if asked_for is not None else [each for each in under_way if _is_of_an_agent(each)]
    hearers = [slot.asking.lines for slot in slots]
    last = hearers[-1] if hearers else None
    if last is None or any(each is None or each.session != last.session for each in hearers):
        return None
    return last if is_wanted(params.get("level"), last.level) else None


def _is_of_an_agent(slot: Slot) -> bool:
    return slot.outgoing.message.get("method") not in _NOBODYS
