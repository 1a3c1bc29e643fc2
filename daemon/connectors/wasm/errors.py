"""What can go wrong in a connector's WebAssembly, before it is installed and while it runs.

ConnectorFault
├── ConnectorRejected          not installed: the program is invalid or asks for more than the host interface
├── ConnectorError             the connector answered with its own error, as JSON
├── ConnectorCrash             the program trapped
├── ConnectorBusy              the call got no place to compute in time; nothing of it ran
├── ConnectorCancelled         the call was ended from our side
└── ResourceExceeded           the call ran into one of its limits; .limit names it
    ├── ConnectorTimeout
    └── ConnectorFuelExhausted
"""


class ConnectorFault(Exception):
    """The root of everything this room raises about a connector."""


class ConnectorRejected(ConnectorFault):
    """The program cannot be installed; the message lists what is wrong with it."""


class ConnectorError(ConnectorFault):
    """The connector answered with its error arm; the payload is its JSON, unchecked."""

    def __init__(self, payload: str) -> None:
        super().__init__("The connector answered with an error of its own.")
        self.payload = payload


class ConnectorCrash(ConnectorFault):
    """The program trapped; the message never contains text the program chose."""


class ConnectorBusy(ConnectorFault):
    """The call got no place to compute in the time it may wait; nothing of it ran, and it may be tried again."""


class ConnectorCancelled(ConnectorFault):
    """The call was ended from our side: its caller went away, or the runtime is closing."""


class ResourceExceeded(ConnectorFault):
    """The call ran into a limit: time, fuel, memory, arguments or result."""

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class ConnectorTimeout(ResourceExceeded):
    """The call used up its wall-clock time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, limit="time")


class ConnectorFuelExhausted(ResourceExceeded):
    """The call executed more instructions than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, limit="fuel")
