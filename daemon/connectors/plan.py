"""What a person is shown about a connector: before it is installed, when it was, and afterwards."""

from dataclasses import dataclass
from typing import Any

from daemon.base.clock import rfc3339
from daemon.connectors.store import StoredConnector
from daemon.connectors.verdict import SignatureVerdict
from daemon.core.manifest import Credential, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """Everything a person consents to when installing; the hash ties the consent to these very bytes."""

    source: str
    hash: str
    program_bytes: int
    """How large the program is; its compilation takes longer the larger it is."""
    manifest: Manifest
    signature: SignatureVerdict
    installed: bool
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as the API shows it."""
        return {
            **describe_manifest(self.manifest),
            "source": self.source,
            "hash": self.hash,
            "program_bytes": self.program_bytes,
            "signature": self.signature.as_json(),
            "installed": self.installed,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallReport:
    """What an install did."""

    plan: InstallPlan
    already_installed: bool

    def as_json(self) -> dict[str, Any]:
        """Return the report as the API shows it."""
        return {**self.plan.as_json(), "installed": True, "already_installed": self.already_installed}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledConnector:
    """A connector of the store, sound or not, and whether it may run at this moment."""

    hash: str
    stored: StoredConnector | None
    problem: str | None

    @property
    def state(self) -> str:
        """Return ready, refused (whole, but its signature no longer counts) or damaged."""
        if self.stored is None:
            return "damaged"
        return "ready" if self.problem is None else "refused"

    def as_json(self) -> dict[str, Any]:
        """Return the connector as the API shows it."""
        described: dict[str, Any] = {"hash": self.hash, "state": self.state, "problem": self.problem}
        if self.stored is not None:
            record = self.stored.record
            described |= describe_manifest(self.stored.manifest)
            described |= {
                "signature": {"state": record.signature.value, "key_id": record.key_id},
                "source": record.source,
                "allow_unsigned": record.allow_unsigned,
                "installed_at": rfc3339(record.installed_ms),
            }
        return described


def describe_manifest(manifest: Manifest) -> dict[str, Any]:
    """Lay a manifest out for a person: what the connector is, where it goes, with what, and what it can do."""
    return {
        "name": str(manifest.name),
        "version": str(manifest.version),
        "description": manifest.description,
        "hosts": [str(host) for host in manifest.hosts],
        "credential": None if manifest.credential is None else _describe_credential(manifest.credential),
        "ops": [
            {
                "name": op.name,
                "capability": op.capability,
                "idempotent": op.idempotent,
                "description": op.description,
                "inputs": [{"name": name} | given.as_json() for name, given in op.inputs.items()],
            }
            for op in manifest.ops.values()
        ],
        "limits": {"memory_bytes": manifest.limits.memory_bytes, "time_seconds": manifest.limits.time_seconds},
    }


def _describe_credential(credential: Credential) -> dict[str, Any]:
    described: dict[str, Any] = {
        "kind": credential.kind,
        "scope": credential.scope,
        "hosts": [str(host) for host in credential.hosts],
        "header": None if credential.inject is None else credential.inject.header,
        "format": None if credential.inject is None else credential.inject.format,
        "oauth2": None,
    }
    if credential.oauth2 is not None:
        described["oauth2"] = {
            "authorize_url": credential.oauth2.authorize_url,
            "token_url": credential.oauth2.token_url,
            "client_id": credential.oauth2.client_id,
            "scopes": list(credential.oauth2.scopes),
        }
    return described
