"""What a revoked or lost key means for connectors that are installed already: they do not run."""

from daemon.connectors.errors import InstallError
from daemon.connectors.keyring import Keyring, TrustedKey
from daemon.connectors.signatures import parse_signature, verify
from daemon.connectors.store import ConnectorStore, StoredConnector
from daemon.connectors.verdict import SignatureState
from daemon.core.failures import Boundary, Failure, FailureClass


def require_signature_counts(stored: StoredConnector, keyring: Keyring) -> None:
    """Refuse a connector whose key was revoked, or was trusted at its install and is not any more."""
    record = stored.record
    # Asked even for an unsigned connector: while the keyring cannot be read, nobody knows what is revoked.
    key = keyring.find(record.key_id or "")
    if key is not None and key.revoked:
        raise _refused(
            stored,
            f"is signed by the key {key.key_id} ({key.label}), which was revoked: {key.revoked_reason}. Remove it,"
            " and install a release that is signed by another key.",
            key_id=key.key_id,
        )
    if record.signature is SignatureState.TRUSTED and (key is None or not key.may_sign(stored.manifest.name)):
        raise _refused(
            stored,
            f"was installed because the key {record.key_id} was trusted for it; the keyring does not say so any more."
            " Trust the key again, or remove the connector.",
            key_id=record.key_id,
        )


def mark_revoked(keyring: Keyring, store: ConnectorStore, key_id: str, *, reason: str) -> TrustedKey:
    """Revoke a key, first writing its id beside every connector it signed that was installed without knowing it."""
    key = keyring.find(key_id)
    if key is not None:
        for entry in store.list():
            if isinstance(entry, StoredConnector) and entry.record.key_id is None and _signed_by(key, store, entry):
                store.note_signer(entry.hash, key.key_id)
    return keyring.revoke(key_id, reason=reason)


def _signed_by(key: TrustedKey, store: ConnectorStore, entry: StoredConnector) -> bool:
    release = store.read(entry.hash)
    if release.signature is None:
        return False
    try:
        signature = parse_signature(release.signature)
    except InstallError:
        return False
    return verify(key.public_key, signature, release.wasm, release.manifest)


def _refused(stored: StoredConnector, what: str, *, key_id: str | None) -> Failure:
    manifest = stored.manifest
    return Failure(
        FailureClass.SIGNATURE_FAILURE,
        f"{manifest.name} {manifest.version} {what}",
        boundary=Boundary.RUNTIME,
        details={"connector": str(manifest.name), "hash": stored.hash, "key_id": key_id},
    )
