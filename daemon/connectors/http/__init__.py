"""Mediated HTTP: a connector reaches services only through this, and only by its rules.

How a connection comes about (addresses, dialling, trust) is in `daemon/net/`. Here is what belongs to connectors: what
their manifest allows, the credential, retries, redirects, limits, and what is removed from answers.
"""

from daemon.connectors.http.client import OutboundHttp
from daemon.connectors.http.mediator import CallContext
from daemon.connectors.http.records import (
    Denial,
    DenialKind,
    ErrorCode,
    HttpEvent,
    InjectedHeader,
    NetworkPolicy,
)
from daemon.core.attempts import AttemptRecord
from daemon.core.scrubbing.scrub import Scrubber

__all__ = [
    "AttemptRecord",
    "CallContext",
    "Denial",
    "DenialKind",
    "ErrorCode",
    "HttpEvent",
    "InjectedHeader",
    "NetworkPolicy",
    "OutboundHttp",
    "Scrubber",
]
