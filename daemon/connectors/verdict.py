"""What a release's signature is worth under the keys a person trusts, and which signatures may be installed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.connectors.archive import Release
from daemon.connectors.errors import InstallError
from daemon.connectors.keyring import Keyring
from daemon.connectors.signatures import parse_signature
from daemon.core.failures import FailureClass
from daemon.core.fqn import Fqn


class SignatureState(StrEnum):
    """The outcomes of looking at a signature."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNSIGNED = "unsigned"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureVerdict:
    """What was found, by which key if one is known, in words for the person."""

    state: SignatureState
    key_id: str | None
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as the API shows it."""
        return {"state": self.state.value, "key_id": self.key_id, "message": self.message}


def judge(keyring: Keyring, name: Fqn, release: Release) -> SignatureVerdict:
    """Look at a release's signature; one that is no signature at all is an InstallError."""
    if release.signature is None:
        return SignatureVerdict(
            state=SignatureState.UNSIGNED, key_id=None, message=f"{name} is not signed: nobody vouches for it."
        )
    signature = parse_signature(release.signature)
    key = keyring.signer_of(signature, release.wasm, release.manifest)
    if key is None:
        return SignatureVerdict(
            state=SignatureState.UNTRUSTED,
            key_id=None,
            message=f"{name} carries a signature that no key of the keyring made: its signer is unknown here,"
            " or the files were changed after signing.",
        )
    if key.revoked:
        return SignatureVerdict(
            state=SignatureState.REVOKED,
            key_id=key.key_id,
            message=f"{name} is signed by the key {key.key_id} ({key.label}), which was revoked: {key.revoked_reason}.",
        )
    if not key.may_sign(name):
        return SignatureVerdict(
            state=SignatureState.UNTRUSTED,
            key_id=key.key_id,
            message=f"{name} is signed by the key {key.key_id} ({key.label}), which is trusted for"
            f" {', '.join(key.namespaces)} only.",
        )
    return SignatureVerdict(
        state=SignatureState.TRUSTED,
        key_id=key.key_id,
        message=f"{name} is signed by the trusted key {key.key_id} ({key.label}).",
    )


def require_installable(verdict: SignatureVerdict, *, allow_unsigned: bool) -> None:
    """Refuse a release nobody trusted vouches for, unless the person said that this is meant.

    allow_unsigned covers a missing signature and an unknown signer alike: a signature by a key nobody here knows says
    no more than none. It never covers a revoked key, and a file that is no signature at all was refused before.
    """
    if verdict.state is SignatureState.TRUSTED:
        return
    if verdict.state is SignatureState.REVOKED:
        remedy = "Get a release that is signed by a key that is not revoked."
    elif allow_unsigned:
        return
    else:
        remedy = (
            "Trust the publisher's key first ('aileron keyring add'), or install it with --allow-unsigned"
            " if you know where it comes from."
        )
    raise InstallError(
        f"{verdict.message} {remedy}",
        failure_class=FailureClass.SIGNATURE_FAILURE,
        details={"signature": verdict.as_json()},
    )
