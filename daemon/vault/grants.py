"""What a person allowed a binding to be used for, as plain questions to the vault's contents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.core.account import seal_of
from daemon.vault.document import Contents, SealedEntry
from daemon.vault.names import BINDING_KINDS

GRANTS = "connectors"
CHOSEN_AT = "chosen_at"
"""For each connector the revision of the vault at which a person last chose this binding for it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A binding that a connector was granted, and the hosts the grant names."""

    name: str
    kind: str
    hosts: frozenset[str]
    version: int
    """The revision of the vault at which the value or the choice of this binding was last set."""
    seal: str


def is_binding(entry: SealedEntry) -> bool:
    """Say whether an entry is a binding and not a plain secret."""
    return entry.kind in BINDING_KINDS


def grants_of(entry: SealedEntry) -> dict[str, list[str]]:
    """Return the grants of a binding: for each connector the hosts its credential may go to."""
    grants = entry.metadata.get(GRANTS)
    if not is_binding(entry) or not isinstance(grants, dict):
        return {}
    return {fqn: [str(host) for host in hosts] for fqn, hosts in grants.items() if isinstance(hosts, list)}


def with_grant(metadata: Mapping[str, Any], *, fqn: str, hosts: Iterable[str]) -> dict[str, Any]:
    """Return metadata with the grant of one connector set to exactly these hosts."""
    grants = metadata.get(GRANTS)
    kept = dict(grants) if isinstance(grants, dict) else {}
    return {**metadata, GRANTS: {**kept, fqn: sorted(set(hosts))}}


def with_choice(metadata: Mapping[str, Any], *, fqn: str, revision: int) -> dict[str, Any]:
    """Return metadata that says at which revision a person chose this binding for a connector."""
    chosen = metadata.get(CHOSEN_AT)
    kept = dict(chosen) if isinstance(chosen, dict) else {}
    return {**metadata, CHOSEN_AT: {**kept, fqn: revision}}


def _version(entry: SealedEntry, *, fqn: str) -> int:
    chosen = entry.metadata.get(CHOSEN_AT)
    revision = chosen.get(fqn) if isinstance(chosen, dict) else None
    return max(entry.version, revision) if isinstance(revision, int) else entry.version


def candidates_by_connector(contents: Contents) -> dict[str, tuple[Candidate, ...]]:
    """Arrange all bindings by the connectors they are granted to, sorted by name."""
    found: dict[str, list[Candidate]] = {}
    for name in sorted(contents.entries):
        entry = contents.entries[name]
        for fqn, hosts in grants_of(entry).items():
            found.setdefault(fqn, []).append(
                Candidate(
                    name, entry.kind, frozenset(hosts), version=_version(entry, fqn=fqn), seal=seal_of(entry.nonce)
                )
            )
    return {fqn: tuple(candidates) for fqn, candidates in found.items()}


def pick(candidates: tuple[Candidate, ...], *, kind: str, chosen: str | None) -> Candidate | None:
    """Return the one binding to use, or None where only a person can say: the choice, else the only one there is."""
    fitting = [candidate for candidate in candidates if candidate.kind == kind]
    if chosen is not None:
        return next((candidate for candidate in fitting if candidate.name == chosen), None)
    return fitting[0] if len(fitting) == 1 else None


def needs_choice(contents: Contents, *, fqn: str, kind: str) -> bool:
    """Say whether a connector has several bindings of its kind and none of them was chosen."""
    candidates = candidates_by_connector(contents).get(fqn, ())
    fitting = [candidate for candidate in candidates if candidate.kind == kind]
    return len(fitting) > 1 and pick(candidates, kind=kind, chosen=contents.choices.get(fqn)) is None
