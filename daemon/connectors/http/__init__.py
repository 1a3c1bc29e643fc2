"""Mediated HTTP: the only way by which a connector reaches a service, and the rules on that way."""

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
