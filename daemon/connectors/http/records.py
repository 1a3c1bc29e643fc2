"""The values that mediated HTTP hands to its caller: policy, injected header, attempts, denials, events."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from daemon.core.attempts import AttemptRecord
from daemon.core.authority import HostPort
from daemon.core.scrubbing.scrub import Scrubber

MIB = 1 << 20


class ErrorCode(StrEnum):
    """The codes that the connector contract gives a failed request."""

    DENIED = "denied"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    NETWORK = "network"
    BAD_REQUEST = "bad_request"


class DenialKind(StrEnum):
    """Which rule refused a request, or part of an answer."""

    HOST = "host"
    SCHEME = "scheme"
    HEADER = "header"
    CREDENTIAL_HEADER = "credential_header"
    ADDRESS = "address"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """What the person allowed on top of the manifests, and how our requests present themselves."""

    allow_private: frozenset[HostPort] = frozenset()
    extra_ca_file: Path | None = None
    user_agent: str = "aileron"
    max_request_bytes: int = 10 * MIB
    max_response_bytes: int = 10 * MIB
    connect_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class InjectedHeader:
    """The credential as one header, and what must be removed from answers because of it."""

    name: str
    value: str
    secrets: tuple[str, ...] = ()
    scrubber: Scrubber | None = None
    """A scrubber for exactly this credential, if one was made before; making it takes longer than a request."""

    def __repr__(self) -> str:
        """Name the header; never show what it carries."""
        return f"InjectedHeader(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal, ready to be audited; the sequence orders it among all results of the call."""

    sequence: int
    kind: DenialKind
    host: str
    message: str


@dataclass(frozen=True, slots=True)
class HttpEvent:
    """Something that happened during a call, told as it happens."""

    kind: Literal["attempt", "denial"]
    attempt: AttemptRecord | None = None
    denial: Denial | None = None
