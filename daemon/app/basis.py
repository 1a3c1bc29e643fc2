"""What every room is built on, and the one list of what is stopped."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from daemon.base.clock import Clock, Entropy, IdSource
from daemon.base.faults import FaultPoints
from daemon.base.home import Home
from daemon.base.settings import Settings
from daemon.base.tasks import TaskSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The values and sources that come in from outside."""

    settings: Settings
    home: Home
    clock: Clock
    entropy: Entropy
    ids: IdSource
    faults: FaultPoints
    started_ms: int
    tasks: TaskSet = field(default_factory=TaskSet)
    stops: AsyncExitStack = field(default_factory=AsyncExitStack)
    """A room that is built puts its end here at once. They are carried out from the last to the first."""
