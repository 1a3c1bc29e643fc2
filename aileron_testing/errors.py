"""The error of this package."""


class AileronError(Exception):
    """The daemon refused something, or is not there; the message is its own."""
