"""A change to an unlocked vault: collected in memory, and then written at once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from daemon.core.canonical import CanonicalError, canonical_json
from daemon.vault.document import Contents, SealedEntry
from daemon.vault.errors import EntryNotFound, EntryRefused
from daemon.vault.names import check_name

MOST_VALUE_BYTES = 64 * 1024
MOST_METADATA_CHARACTERS = 64 * 1024

Sealer = Callable[[bytes, str, str, int], tuple[bytes, bytes]]
"""Seals (value, name, kind, version) into (nonce, ciphertext)."""


class Draft:
    """What the vault will hold; every step moves the revision, so versions never repeat."""

    def __init__(self, contents: Contents, *, sealer: Sealer, now_ms: int) -> None:
        self._before = contents
        self._revision = contents.revision
        self._entries = dict(contents.entries)
        self._choices = dict(contents.choices)
        self._sealer = sealer
        self._now_ms = now_ms

    @property
    def changed(self) -> bool:
        """Say whether there is anything to write."""
        return self._revision != self._before.revision

    @property
    def revision(self) -> int:
        """Return the count of changes with those of the draft; the next one makes it one more."""
        return self._revision

    @property
    def entries(self) -> Mapping[str, SealedEntry]:
        """Return the entries as the draft has them."""
        return MappingProxyType(self._entries)

    @property
    def choices(self) -> Mapping[str, str]:
        """Return the choices as the draft has them."""
        return MappingProxyType(self._choices)

    def contents(self) -> Contents:
        """Return what to write."""
        return Contents(self._revision, dict(self._entries), dict(self._choices))

    def entry(self, name: str) -> SealedEntry:
        """Return an entry, or raise EntryNotFound."""
        return find_entry(self._entries, name)

    def put(self, name: str, *, kind: str, value: bytes, metadata: Mapping[str, Any] | None = None) -> SealedEntry:
        """Add an entry or replace its value; without metadata a replaced entry keeps what it had."""
        check_name(name, kind=kind)
        former = self._entries.get(name)
        if former is not None and former.kind != kind:
            raise EntryRefused(f"{name} is there already, as a {former.kind}; remove it first.")
        if not value:
            raise EntryRefused(f"The value of {name} is empty.")
        if len(value) > MOST_VALUE_BYTES:
            raise EntryRefused(f"The value of {name} has {len(value)} bytes; the most is {MOST_VALUE_BYTES}.")
        if metadata is None:
            metadata = {} if former is None else former.metadata
        self._revision += 1
        nonce, ciphertext = self._sealer(value, name, kind, self._revision)
        entry = SealedEntry(
            name,
            kind,
            self._revision,
            self._now_ms if former is None else former.created_ms,
            self._now_ms,
            _checked(metadata),
            nonce,
            ciphertext,
        )
        self._entries[name] = entry
        return entry

    def describe(self, name: str, metadata: Mapping[str, Any]) -> SealedEntry:
        """Replace an entry's metadata and leave its value."""
        entry = replace(self.entry(name), metadata=_checked(metadata), updated_ms=self._now_ms)
        self._revision += 1
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> tuple[str, ...]:
        """Take an entry out with every choice of it; returns what it was chosen for."""
        self.entry(name)
        self._revision += 1
        del self._entries[name]
        dangling = tuple(sorted(key for key, chosen in self._choices.items() if chosen == name))
        for key in dangling:
            del self._choices[key]
        return dangling

    def choose(self, key: str, name: str) -> None:
        """Record that an entry is the one to use for something."""
        self.entry(name)
        self._revision += 1
        self._choices[key] = name


def find_entry(entries: Mapping[str, SealedEntry], name: str) -> SealedEntry:
    """Return the entry of a name, or raise EntryNotFound."""
    entry = entries.get(name)
    if entry is None:
        raise EntryNotFound(f"The vault has no entry {name[:200]!r}.", details={"name": name[:200]})
    return entry


def _checked(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Copy metadata by way of its canonical text, so that what is held is exactly what the file will say."""
    try:
        text = canonical_json(dict(metadata))
    except CanonicalError as problem:
        raise EntryRefused(f"The metadata cannot be kept: {problem}") from None
    if len(text) > MOST_METADATA_CHARACTERS:
        raise EntryRefused(f"The metadata has {len(text)} characters; the most is {MOST_METADATA_CHARACTERS}.")
    copy: dict[str, Any] = json.loads(text)
    return copy
