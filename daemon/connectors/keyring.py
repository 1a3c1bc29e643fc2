"""The keys a person trusts to sign connectors: for which namespaces, since when, and which of them are revoked.

A keyring that cannot be read trusts nothing and lets nothing run, because it also holds the revocations.
"""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.base.clock import Clock, parse_rfc3339, rfc3339
from daemon.base.files import NotConfirmedError, open_regular, replace_file
from daemon.connectors.errors import KeyringError
from daemon.connectors.namespaces import covers, parse_namespace
from daemon.connectors.signatures import is_key_id, key_id, parse_public_key, verify
from daemon.core.failures import Boundary, FailureClass
from daemon.core.fqn import Fqn

_FORMAT = 1
_MAX_FILE = 4 * 1024 * 1024
_MAX_TEXT = 200
_MAX_REASON = 1000
_KEY_FIELDS = {"key_id", "public_key", "label", "namespaces", "trusted_at", "revoked_at", "revoked_reason"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """One public key, what it may sign for, and whether it has been revoked since."""

    key_id: str
    public_key: bytes
    label: str
    namespaces: tuple[str, ...]
    trusted_ms: int
    revoked_ms: int | None = None
    revoked_reason: str | None = None

    @property
    def revoked(self) -> bool:
        """Say whether nothing signed by this key may run any more."""
        return self.revoked_ms is not None

    def may_sign(self, name: Fqn) -> bool:
        """Say whether a connector of this name lies in one of the key's namespaces."""
        return any(covers(namespace, name) for namespace in self.namespaces)

    def as_json(self) -> dict[str, Any]:
        """Return the key as the file keeps it and the API shows it."""
        return {
            "key_id": self.key_id,
            "public_key": base64.b64encode(self.public_key).decode("ascii"),
            "label": self.label,
            "namespaces": list(self.namespaces),
            "trusted_at": rfc3339(self.trusted_ms),
            "revoked_at": None if self.revoked_ms is None else rfc3339(self.revoked_ms),
            "revoked_reason": self.revoked_reason,
        }


class Keyring:
    """Holds the trusted keys in memory and writes every change through to keyring.json before it counts."""

    def __init__(self, *, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._keys: dict[str, TrustedKey] = {}
        self._damage: KeyringError | None = None
        try:
            self._keys = _load(path)
        except KeyringError as damage:
            self._damage = damage

    @property
    def damage(self) -> str | None:
        """Say why the keyring cannot be used, if it cannot."""
        return None if self._damage is None else self._damage.message

    def list(self) -> tuple[TrustedKey, ...]:
        """Return all keys, the revoked ones too, oldest first."""
        return tuple(sorted(self._usable().values(), key=lambda key: (key.trusted_ms, key.key_id)))

    def find(self, identifier: str) -> TrustedKey | None:
        """Return the key of this id, revoked or not."""
        return self._usable().get(identifier)

    def signer_of(self, signature: bytes, wasm: bytes, manifest: bytes) -> TrustedKey | None:
        """Return the known key, revoked or not, that made this signature."""
        for key in self.list():
            if verify(key.public_key, signature, wasm, manifest):
                return key
        return None

    def trust(self, public_key: str, *, label: str, namespaces: Sequence[str]) -> TrustedKey:
        """Trust a key for some namespaces; a key that is trusted already gets the new label and more namespaces."""
        key = self.propose(public_key, label=label, namespaces=namespaces)
        self._write({**self._usable(), key.key_id: key})
        return key

    def propose(self, public_key: str, *, label: str, namespaces: Sequence[str]) -> TrustedKey:
        """Say what trusting a key would mean, or refuse it, without changing anything."""
        keys = self._usable()
        raw = parse_public_key(public_key)
        wanted = {parse_namespace(namespace) for namespace in namespaces}
        if not wanted:
            raise _refused("A key is trusted for at least one namespace; name one, such as github://acme.")
        label = _checked_text(label, what="label")
        known = keys.get(key_id(raw))
        if known is not None and known.revoked:
            raise _refused(
                f"The key {known.key_id} was revoked ({known.revoked_reason}); a revoked key stays revoked."
                " Ask the publisher for a new one."
            )
        if known is not None and known.public_key != raw:
            raise _refused(f"Another key with the id {known.key_id} is trusted already.")
        if known is None:
            return TrustedKey(
                key_id=key_id(raw),
                public_key=raw,
                label=label,
                namespaces=tuple(sorted(wanted)),
                trusted_ms=self._clock.now_ms(),
            )
        return replace(known, label=label, namespaces=tuple(sorted({*known.namespaces, *wanted})))

    def revoke(self, identifier: str, *, reason: str) -> TrustedKey:
        """Revoke a key for good: what it signed does not run from this moment on."""
        keys = self._usable()
        known = keys.get(identifier)
        if known is None:
            raise KeyringError(
                f"No key {identifier!r} is in the keyring; 'aileron keyring list' shows those that are.",
                failure_class=FailureClass.NOT_FOUND,
                boundary=Boundary.USER,
            )
        if known.revoked:
            return known
        key = replace(
            known,
            revoked_ms=self._clock.now_ms(),
            revoked_reason=_checked_text(reason, what="reason", limit=_MAX_REASON),
        )
        self._write({**keys, key.key_id: key})
        return key

    def _usable(self) -> dict[str, TrustedKey]:
        if self._damage is not None:
            # A fresh one each time: an exception that is raised twice gathers tracebacks and audit ids.
            raise KeyringError(self._damage.message, details=self._damage.details)
        return self._keys

    def _write(self, keys: dict[str, TrustedKey]) -> None:
        document = {"version": _FORMAT, "keys": [key.as_json() for key in keys.values()]}
        data = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
        try:
            replace_file(self._path, data)
        except NotConfirmedError as error:
            self._keys = keys
            raise KeyringError(
                f"{self._path} was written, but the disk did not confirm it ({error.strerror}): after a power cut it"
                " may be the former one. Check the disk, then look at 'aileron keyring list'.",
                failure_class=FailureClass.INTERNAL_ERROR,
            ) from error
        except OSError as error:
            raise KeyringError(
                f"{self._path} cannot be written ({error.strerror}); the keyring is unchanged."
                " Free some space or mend the permissions and try again.",
                failure_class=FailureClass.INTERNAL_ERROR,
            ) from error
        self._keys = keys


def _load(path: Path) -> dict[str, TrustedKey]:
    try:
        handle = open_regular(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _damaged(path, f"it cannot be opened ({error.strerror})") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if status.st_mode & 0o022:
            raise _damaged(path, f"others may write to it (run: chmod 600 {path})")
        if status.st_size > _MAX_FILE:
            raise _damaged(path, f"it is larger than {_MAX_FILE} bytes")
        try:
            data = file.read()
        except OSError as error:
            raise _damaged(path, f"it cannot be read ({error.strerror})") from error
    try:
        document = json.loads(data)
        if set(document) != {"version", "keys"} or document["version"] != _FORMAT:
            raise ValueError(f"it is not a keyring of version {_FORMAT}")
        keys = [_read_key(entry) for entry in document["keys"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error)[:_MAX_TEXT]) from error
    except KeyringError as error:
        raise _damaged(path, error.message) from error
    found = {key.key_id: key for key in keys}
    if len(found) != len(keys):
        raise _damaged(path, "a key is in it twice")
    return found


def _read_key(entry: dict[str, Any]) -> TrustedKey:
    if set(entry) != _KEY_FIELDS:
        raise ValueError("an entry has missing or unknown fields")
    raw = parse_public_key(entry["public_key"])
    if entry["key_id"] != key_id(raw) or not is_key_id(entry["key_id"]):
        raise ValueError("a key does not match its id")
    if not isinstance(entry["namespaces"], list) or not entry["namespaces"]:
        raise ValueError("a key has no namespaces")
    return TrustedKey(
        key_id=entry["key_id"],
        public_key=raw,
        label=_checked_text(entry["label"], what="label"),
        namespaces=tuple(parse_namespace(namespace) for namespace in entry["namespaces"]),
        trusted_ms=parse_rfc3339(entry["trusted_at"]),
        revoked_ms=None if entry["revoked_at"] is None else parse_rfc3339(entry["revoked_at"]),
        revoked_reason=(
            None
            if entry["revoked_reason"] is None
            else _checked_text(entry["revoked_reason"], what="reason", limit=_MAX_REASON)
        ),
    )


def _checked_text(text: Any, *, what: str, limit: int = _MAX_TEXT) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > limit or not text.isprintable():
        raise _refused(f"A key's {what} is one line of 1 to {limit} printable characters.")
    return text.strip()


def _refused(message: str) -> KeyringError:
    return KeyringError(message, failure_class=FailureClass.INVALID_ARGUMENTS, boundary=Boundary.USER)


def _damaged(path: Path, problem: str) -> KeyringError:
    return KeyringError(
        f"The keyring {path} cannot be used: {problem}. No connector runs until it is mended: put back a copy"
        " of the file, or move it away and trust your keys again.",
        details={"file": str(path)},
    )
