"""What the kind of tool needs of the rest of the room: which servers there are, and one of them, ready to be asked."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from daemon.core.account import Account
from daemon.core.scrubbing.scrub import Scrubber
from daemon.tools.servers.hearing import Told
from daemon.tools.servers.upstream.seam import ToolExecutor, Trouble, UpstreamError
from daemon.tools.servers.values import ServerConfig


class Configured(Protocol):
    """The servers that the person configured."""

    def all(self) -> Mapping[str, ServerConfig]:
        """Return them by name, also those that are disabled."""
        ...

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time one was added, changed or removed."""
        ...


class Lender(Protocol):
    """Holds the servers that run."""

    def lent(self, server: ServerConfig, session: str) -> AbstractAsyncContextManager[ToolExecutor]:
        """Lend a server that runs, after starting it if need be.

        Raises a Failure with its remedy, or UpstreamError, if there is none to be had.
        """
        ...


AccountOf = Callable[[ServerConfig], Account | None]


def nobody(server: ServerConfig) -> Account | None:  # noqa: ARG001 - so it is called
    """Return no account: nothing is known of what the server is given."""
    return None


ScrubberOf = Callable[[str], Scrubber | None]
"""Returns what takes out the secrets that were put in for a server, by its name; None if there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldServers:
    """The servers of a daemon."""

    configured: Configured
    lender: Lender
    scrubber_of: ScrubberOf
    account_of: AccountOf = nobody
    """As whom a server acts; an approval is bound to it."""
    told: Told
    """Who makes connections gives each what it hears with."""


class _NoServers:
    """A home without servers."""

    def all(self) -> Mapping[str, ServerConfig]:
        """Return none."""
        return {}

    async def changes(self) -> AsyncGenerator[None, None]:
        """Wait for ever: nothing changes."""
        await asyncio.Event().wait()
        yield

    def lent(self, server: ServerConfig, session: str) -> AbstractAsyncContextManager[ToolExecutor]:  # noqa: ARG002
        """Refuse: there is none to lend."""
        raise UpstreamError(Trouble.NOT_STARTED, f"there is no server {server.name}")


NO_SERVERS = HeldServers(configured=_NoServers(), lender=_NoServers(), scrubber_of=lambda _: None, told=Told())
