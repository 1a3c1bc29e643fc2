"""Puts the room together: the pins, the looks, and the kind of tool over the servers that run."""

from collections.abc import Callable
from dataclasses import dataclass

from daemon.audit.log import AuditLog
from daemon.base.clock import Clock, Entropy
from daemon.base.tasks import TaskSet
from daemon.db.reader import Reader
from daemon.tools.servers.answering import Answerers
from daemon.tools.servers.calls import CallServices
from daemon.tools.servers.hearing import Told
from daemon.tools.servers.lending import HeldServers
from daemon.tools.servers.looking import Looks
from daemon.tools.servers.outcomes import Outcomes
from daemon.tools.servers.pins.pins import Pins
from daemon.tools.servers.provider import ServerProvider
from daemon.tools.servers.rests import Rests
from daemon.tools.servers.roots import Workspaces
from daemon.tools.servers.subscriptions import Subscriptions

OnEnd = Callable[[Callable[[str], None]], None]
"""Where a listener for the ends of sessions is put."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What agents are given at once."""

    result_characters: int
    listed_tools: int
    look_again_seconds: float
    """How long after a look the tools of a server that runs are looked at again, before its next call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What this room offers."""

    provider: ServerProvider
    pins: Pins
    looks: Looks
    told: Told
    subscriptions: Subscriptions
    workspaces: Workspaces
    """Rooms above say here where sessions work."""


async def build(
    *,
    held: HeldServers,
    answerers: Answerers,
    limits: ServerLimits,
    on_session_end: OnEnd,
    audit: AuditLog,
    reader: Reader,
    clock: Clock,
    entropy: Entropy,
    tasks: TaskSet,
) -> Servers:
    """Join what is pinned to the servers that are configured and held."""
    pins = Pins(audit=audit, reader=reader, clock=clock)
    await pins.load()
    looks = Looks(held=held, pins=pins, clock=clock, tasks=tasks, again_seconds=limits.look_again_seconds)
    held.told.listen(looks.heard)
    rests = Rests(entropy=entropy)
    on_session_end(rests.session_ended)
    calls = CallServices(
        lender=held.lender,
        looks=looks,
        outcomes=Outcomes(rests=rests, limit=limits.result_characters),
        scrubber_of=held.scrubber_of,
        account_of=held.account_of,
        answerers=answerers,
        clock=clock,
    )
    subscriptions = Subscriptions(configured=held.configured, lender=held.lender, tasks=tasks)
    held.told.listen(subscriptions.heard)
    on_session_end(subscriptions.session_ended)
    provider = ServerProvider(
        configured=held.configured,
        pins=pins,
        looks=looks,
        calls=calls,
        subscriptions=subscriptions,
        rests=rests,
        tasks=tasks,
        most_listed=limits.listed_tools,
    )
    return Servers(
        provider=provider,
        pins=pins,
        looks=looks,
        told=held.told,
        subscriptions=subscriptions,
        workspaces=answerers.workspaces,
    )
