"""What a connection needs of a transport, and what a transport tells the connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import Hello, Message


@dataclass(slots=True)
class Outgoing:
    """One message on its way to the server."""

    message: Mapping[str, Any]
    id: int | None = None
    """The id of a request; None for what has no answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the protocol wants to stand in headers, where there are any."""
    left: bool = False
    """Whether a part of it may have reached the server. The transport says so before it hands over the first byte."""


class Receiver(Protocol):
    """Takes what comes from a server."""

    def received(self, message: Message, request: int | None = None) -> bool:
        """Take one message, which came with the answer to a request where that is known.

        Returns whether it was the answer to that request. Never waits.
        """
        ...

    def unreadable(self, what: str, request: int | None = None) -> None:
        """Hear that something came that is no message; and of which request it seems to be the answer."""
        ...

    def ended(self, why: str) -> None:
        """Hear that nothing more will come."""
        ...


class Transport(Protocol):
    """Carries messages to one server and back."""

    @property
    def is_open(self) -> bool:
        """Say whether a message can still be sent."""
        ...

    @property
    def closing_calls_off(self) -> bool:
        """Say whether a request is called off by ending its exchange, and not by a message."""
        ...

    @property
    def has_headers(self) -> bool:
        """Say whether headers go with a message; where there are none, none need to be made."""
        ...

    def open(self, receiver: Receiver, limits: Limits) -> None:
        """Begin to hand over what comes."""
        ...

    async def carry(self, outgoing: Outgoing) -> None:
        """Send a message; raises UpstreamError.

        Returns when the message was handed over, or, where each request has an exchange of its own, when the answer
        was handed to the receiver.
        """
        ...

    def send_soon(self, outgoing: Outgoing) -> None:
        """Send a message that nobody waits for. It is dropped when the server does not take what is sent to it."""
        ...

    def agreed(self, hello: Hello) -> None:
        """Hear what was agreed with the server."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


class Authorisation(Protocol):
    """Gives the headers that let a request in at a remote server."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers for the next request; raises UpstreamError with UNAUTHORISED if a login is needed."""
        ...

    async def refused(self, challenge: str) -> bool:
        """Hear that the server refused a request; True means: ask once more, with new headers."""
        ...
