"""Checkpoints as values: what one signature vouches for, and how it stands in the table.

A checkpoint names the one before it and has a number of its own, so that one that was taken out is missed at its place.
It also names the longest stretch that its daemon left unsigned, so that one that came too late is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.audit.events import GENESIS
from daemon.audit.signing import CheckpointSigner, signature_holds, text_signature_holds

_FORM = "2"
_PARTS = 6


class CheckpointKind(StrEnum):
    """Why a checkpoint was made."""

    REGULAR = "regular"
    START = "start"
    RECOVERY = "recovery"
    """After a power loss or an upgrade: nobody vouches for what lies between it and the one before."""
    RESUMED = "resumed"
    """A person went on with a damaged log; what lies before it is as it was found."""


class Head(NamedTuple):
    """Where the chain ends, and the last checkpoint before it."""

    seq: int = 0
    hash: str = GENESIS
    time: str = ""
    checkpoint: int = 0
    checkpoint_hash: str = GENESIS
    number: int = 0
    """How many checkpoints there are; also the number of the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed place in the chain. One of the first form has no number and names no checkpoint before it."""

    seq: int
    hash: str
    time: str
    number: int | None = None
    previous: int = 0
    every: int = 0
    kind: CheckpointKind = CheckpointKind.REGULAR

    def row(self, signer: CheckpointSigner) -> dict[str, Any]:
        """Sign it, and return it as a row of the table."""
        signature = signer.sign_text(self._text())
        return {
            "seq": self.seq,
            "hash": self.hash,
            "time": self.time,
            "key_id": signer.key_id,
            "signature": f"{_FORM}:{self.number}:{self.previous}:{self.every}:{self.kind}:{signature}",
        }

    def _text(self) -> bytes:
        lines = ("aileron-audit-checkpoint-v2", self.seq, self.hash, self.time, self.number, self.previous, self.every)
        return "\n".join(map(str, (*lines, self.kind.value))).encode("utf-8", "surrogateescape")

    def holds(self, public_key: bytes, signature: str) -> bool:
        """Say whether the signature is this key's, over all of this."""
        return text_signature_holds(public_key, signature, self._text())


def read_checkpoint(row: tuple[Any, ...], public_keys: Mapping[str, bytes]) -> Checkpoint | None:
    """Return the checkpoint of a row whose key is known, or nothing if its signature does not hold."""
    seq, digest, time, key_id, signature = row
    if not isinstance(seq, int) or not all(isinstance(part, str) for part in (digest, time, key_id, signature)):
        return None
    key = public_keys[key_id]
    parts = signature.split(":")
    if len(parts) == 1:
        first_form = signature_holds(key, signature, purpose="checkpoint", seq=seq, head=digest, time=time)
        return Checkpoint(seq=seq, hash=digest, time=time) if first_form else None
    if len(parts) != _PARTS or parts[0] != _FORM:
        return None
    try:
        number, previous, every = map(int, parts[1:4])
        kind = CheckpointKind(parts[4])
    except ValueError:
        return None
    found = Checkpoint(seq=seq, hash=digest, time=time, number=number, previous=previous, every=every, kind=kind)
    return found if found.holds(key, parts[5]) else None
