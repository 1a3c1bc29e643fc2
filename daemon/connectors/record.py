"""The install record beside each stored connector: its source, who consented, what its signature was worth."""

import json
from dataclasses import dataclass
from typing import Any

from daemon.base.clock import parse_rfc3339, rfc3339
from daemon.connectors.verdict import SignatureState
from daemon.core.failures import Boundary, Failure, FailureClass

_FORMAT = 1
_FIELDS = {"version", "source", "signature", "key_id", "allow_unsigned", "installed_at", "actor", "session"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRecord:
    """How one connector came into the store."""

    source: str
    signature: SignatureState
    key_id: str | None
    allow_unsigned: bool
    installed_ms: int
    actor: str
    session: str | None

    def to_bytes(self) -> bytes:
        """Write the record as installed.json holds it."""
        document = {
            "version": _FORMAT,
            "source": self.source,
            "signature": self.signature.value,
            "key_id": self.key_id,
            "allow_unsigned": self.allow_unsigned,
            "installed_at": rfc3339(self.installed_ms),
            "actor": self.actor,
            "session": self.session,
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, *, file: str) -> "InstallRecord":
        """Read installed.json; one that cannot be read says nothing about trust, so nothing runs on it."""
        try:
            document: dict[str, Any] = json.loads(data)
            if set(document) != _FIELDS or document["version"] != _FORMAT:
                raise ValueError("missing or unknown fields")
            texts = (document["source"], document["actor"])
            optional = (document["key_id"], document["session"])
            if not all(isinstance(text, str) for text in texts) or not all(
                text is None or isinstance(text, str) for text in optional
            ):
                raise ValueError("a field is not text")
            return cls(
                source=document["source"],
                signature=SignatureState(document["signature"]),
                key_id=document["key_id"],
                allow_unsigned=document["allow_unsigned"] is True,
                installed_ms=parse_rfc3339(document["installed_at"]),
                actor=document["actor"],
                session=document["session"],
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Failure(
                FailureClass.SIGNATURE_FAILURE,
                f"{file} cannot be read ({error}), so nobody can say who signed this connector."
                " Remove the connector and install it again.",
                boundary=Boundary.RUNTIME,
                details={"file": file},
            ) from error
