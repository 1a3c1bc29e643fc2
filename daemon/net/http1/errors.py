"""How an exchange with a server goes wrong.

UpstreamError
+-- Unreachable     no connection came about, or the address must not be dialled; nothing was sent
+-- TooSlow         the answer did not begin in time
+-- Broken          the connection ended, or what came over it is not HTTP
"""


class UpstreamError(Exception):
    """An exchange with a server did not come to its end; the message is a sentence for a person."""


class Unreachable(UpstreamError):
    """Nothing was sent."""


class TooSlow(UpstreamError):
    """The answer did not begin in time."""


class Broken(UpstreamError):
    """The connection ended too early, or what came over it is not HTTP."""
