"""The account that a connector acts as: what may be known of a binding by everybody, because it says nothing secret."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One binding as one connector uses it.

    Two accounts are equal only if a call under the one is a call under the other. The version changes when the value
    is replaced and when the binding is chosen anew. It is a count that begins again in another vault file, so the
    seal tells a binding from one of the same name and number in a vault that was made anew or put back from a copy.
    """

    connector: str
    name: str
    kind: str
    version: int
    seal: str

    def __str__(self) -> str:
        """Write the account the way a person is told of it."""
        return f"{self.name} (version {self.version})"

    def as_json(self) -> dict[str, Any]:
        """Return the account as the log, the database and the control API have it."""
        # By hand: it is asked for in every run, and the library copies each value.
        return {
            "connector": self.connector,
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "seal": self.seal,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Account":
        """Read an account back."""
        return cls(
            connector=data["connector"],
            name=data["name"],
            kind=data["kind"],
            version=data["version"],
            seal=data["seal"],
        )


def seal_of(nonce: bytes) -> str:
    """Return the seal of a value, made of the random number that it was encrypted with and of nothing else."""
    return hashlib.sha256(b"aileron-binding-seal-1" + nonce).hexdigest()[:16]
