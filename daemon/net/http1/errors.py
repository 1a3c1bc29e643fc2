"""How an exchange with a server goes wrong.

UpstreamError
+-- Unreachable     no connection came about; nothing was sent
|   +-- Forbidden   its address must not be dialled
|   +-- Untrusted   its certificate is not believed
+-- TooSlow         the answer did not begin in time
+-- Broken          the connection ended, or what came over it is not HTTP
"""


class UpstreamError(Exception):
    """An exchange with a server did not come to its end; the message is a sentence for a person."""


class Unreachable(UpstreamError):
    """Nothing was sent."""


class Forbidden(Unreachable):
    """The rules for addresses refuse it; the message is the sentence of the rule."""


class Untrusted(Unreachable):
    """It could not prove that it is the service that was asked for."""


class TooSlow(UpstreamError):
    """The answer did not begin in time."""


class Broken(UpstreamError):
    """The connection ended too early, or what came over it is not HTTP."""
