"""What a decision is about and bound to, whatever kind of tool it is, and the digest that an approval holds."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.account import Account
from daemon.core.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class NamedHash:
    """One definition that a call depends on beside its own, such as a connector's release."""

    name: str
    hash: str

    def as_json(self) -> dict[str, Any]:
        """Return it as the database and the control API have it."""
        return {"name": self.name, "hash": self.hash}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Which tool would be run, by which definitions, as which accounts. If any of it changes, it is another subject."""

    kind: str
    origin: str
    """Where the tool comes from, such as `local`, or the name of a server."""
    name: str
    """The tool's name among its kind, which need not be the name that agents call it by."""
    version: str
    definition: str
    """The hash of the tool's own definition."""
    depends_on: tuple[NamedHash, ...] = ()
    accounts: tuple[Account, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the subject as the database and the control API have it."""
        return {
            "kind": self.kind,
            "origin": self.origin,
            "name": self.name,
            "version": self.version,
            "definition": self.definition,
            "depends_on": [each.as_json() for each in self.depends_on],
            "accounts": [account.as_json() for account in self.accounts],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Subject":
        """Read a subject back."""
        return cls(
            kind=data["kind"],
            origin=data["origin"],
            name=data["name"],
            version=data["version"],
            definition=data["definition"],
            depends_on=tuple(NamedHash(each["name"], each["hash"]) for each in data["depends_on"]),
            accounts=tuple(map(Account.from_json, data["accounts"] or ())),
        )

    @property
    def hashes(self) -> tuple[str, ...]:
        """Return the hashes of what it depends on, in its order."""
        return tuple(each.hash for each in self.depends_on)

    def account_changes(self, now: Sequence[Account]) -> str:
        """Say for each account that is not the one of this subject what it was and what it is now."""
        before = {account.connector: account for account in self.accounts}
        after = {account.connector: account for account in now}
        return " ".join(
            f"{name} was to act as {before.get(name, 'none')} and would now act as {after.get(name, 'none')}."
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        )


def call_digest(session: str, subject: Subject, arguments: Mapping[str, Any]) -> str:
    """Return the digest that an approval is bound to: who asks, for what, as which accounts, with which arguments."""
    return _hashed(
        {
            "digest": "aileron-approval-3",
            "session": session,
            "subject": subject.as_json(),
            "arguments": dict(arguments),
        }
    )


def former_digest(session: str, subject: Subject, arguments: Mapping[str, Any]) -> str:
    """Return the digest that the version before, which knew actions only, would have given to the same call."""
    return _hashed(
        {
            "digest": "aileron-approval-2",
            "session": session,
            "action": subject.definition,
            "connectors": list(subject.hashes),
            "accounts": [account.as_json() for account in subject.accounts],
            "arguments": dict(arguments),
        }
    )


def is_bound_to(digest: str, session: str, subject: Subject, arguments: Mapping[str, Any]) -> bool:
    """Say whether an approval with this digest is one of exactly this call.

    What was asked for before an upgrade keeps the digest it was given: that one names every file of an action by its
    hash, so it says as much. The two texts begin differently, so neither can be taken for the other.
    """
    if digest == call_digest(session, subject, arguments):
        return True
    return subject.kind == _FORMER_KIND and digest == former_digest(session, subject, arguments)


_FORMER_KIND = "action"
"""The one kind of tool there was in the version before."""


def _hashed(bound: Mapping[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(canonical_json(dict(bound)).encode()).hexdigest()}"
