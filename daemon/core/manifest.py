"""What a connector declares about itself: its name, its reach, its credential, its operations and its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.core.authority import HostPort
from daemon.core.canonical import canonical_json
from daemon.core.fqn import Fqn
from daemon.core.semver import Version

CredentialKind = Literal["oauth2", "api_key", "basic", "none"]
InputFormat = Literal["json", "url"]

SECRET_PLACE = "{secret}"  # noqa: S105 -- the placeholder, not a secret
MAX_MEMORY_BYTES = 2**30
MAX_TIME_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Injection:
    """The request header the credential goes into, and how it is written there."""

    header: str
    format: str

    def header_value(self, secret: str) -> str:
        """Write the header's value with the secret in its place."""
        return self.format.replace(SECRET_PLACE, secret, 1)


@dataclass(frozen=True, slots=True)
class OAuth2Settings:
    """Where a person signs in and where tokens come from."""

    authorize_url: str
    token_url: str
    client_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential a connector needs and the hosts it may be sent to."""

    kind: CredentialKind
    scope: str | None
    inject: Injection | None
    hosts: tuple[HostPort, ...]
    oauth2: OAuth2Settings | None = None


@dataclass(frozen=True, slots=True)
class OpInput:
    """One input of an operation; `format` says what its text is read as, where it is more than text."""

    type: str
    required: bool = True
    description: str = ""
    format: InputFormat | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the input as it is listed; without a format it looks as it did before there were any."""
        listed: dict[str, Any] = {"type": self.type, "required": self.required, "description": self.description}
        return listed if self.format is None else listed | {"format": self.format}


@dataclass(frozen=True, slots=True)
class Op:
    """One operation, and the capability an action must declare to use it."""

    name: str
    capability: str
    idempotent: bool
    description: str = ""
    inputs: Mapping[str, OpInput] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use."""

    memory_bytes: int = 64 * 2**20
    time_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A connector's manifest, checked; the credential is None when it needs none."""

    name: Fqn
    version: Version
    description: str
    default_idempotent: bool
    hosts: tuple[HostPort, ...]
    credential: Credential | None
    limits: Limits
    ops: Mapping[str, Op]

    def as_json(self) -> str:
        """Write the manifest as canonical JSON, laid out like the file, for the connector itself to read."""
        capabilities: dict[str, Any] = {"network": {"hosts": [str(host) for host in self.hosts]}}
        if self.credential is not None:
            capabilities["credential"] = _credential_json(self.credential)
        return canonical_json(
            {
                "connector": {
                    "name": str(self.name),
                    "version": str(self.version),
                    "description": self.description,
                    "idempotency": {"default": "idempotent" if self.default_idempotent else "not_idempotent"},
                },
                "capabilities": capabilities,
                "limits": {"memory_bytes": self.limits.memory_bytes, "time_seconds": self.limits.time_seconds},
                "ops": {name: _op_json(op) for name, op in self.ops.items()},
            }
        )


def _credential_json(credential: Credential) -> dict[str, Any]:
    written: dict[str, Any] = {"kind": credential.kind, "hosts": [str(host) for host in credential.hosts]}
    if credential.scope is not None:
        written["scope"] = credential.scope
    if credential.inject is not None:
        written["inject"] = {"header": credential.inject.header, "format": credential.inject.format}
    if credential.oauth2 is not None:
        written["oauth2"] = {
            "authorize_url": credential.oauth2.authorize_url,
            "token_url": credential.oauth2.token_url,
            "client_id": credential.oauth2.client_id,
            "scopes": list(credential.oauth2.scopes),
        }
    return written


def _op_json(op: Op) -> dict[str, Any]:
    return {
        "capability": op.capability,
        "idempotent": op.idempotent,
        "description": op.description,
        "inputs": {name: given.as_json() for name, given in op.inputs.items()},
    }
