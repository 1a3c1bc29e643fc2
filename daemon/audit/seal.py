"""What is kept of the log outside the database, as values: the seal, and the running head.

Both carry a code that only the holder of the audit key can make. Someone who edits the database cannot reach them;
someone who edits them without the key is found out.

    seal          the last checkpoint; replaced and synced at each one
    running head  where the chain ends, and where it will end after the commit that is under way; written before each
                  commit and not synced, so it survives a killed process, and after a power loss it may be too old
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

from daemon.audit.events import GENESIS
from daemon.audit.signing import CheckpointSigner

Place = tuple[int, str]
"""The number of an event, and its hash."""

RUNNING_BYTES = 1024


class NotOursError(ValueError):
    """A record does not carry our code: it was changed by someone without the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The last checkpoint, and whether the log was closed there."""

    seq: int = 0
    hash: str = GENESIS
    number: int = 0
    every: int = 0
    """The longest stretch that the daemon leaves unsigned."""
    closed: bool = False
    """After a clean stop nothing may come behind the checkpoint."""
    resumed: int = 0
    resumed_hash: str = GENESIS
    """The event with which a person last went on with a damaged log; zero if that never was."""

    @property
    def place(self) -> Place:
        """Return the event that the last checkpoint signed."""
        return self.seq, self.hash

    def encode(self, signer: CheckpointSigner) -> bytes:
        """Write it down under our code."""
        text = json.dumps(asdict(self), sort_keys=True)
        code = signer.authenticate(f"seal\n{text}".encode())
        return f"{text}\n{code}\n".encode()

    @classmethod
    def decode(cls, raw: bytes, signer: CheckpointSigner) -> Self:
        """Read it back; raises NotOursError."""
        data: dict[str, Any] = json.loads(_checked("seal", raw, signer))
        return cls(**data)


class RunningHead(NamedTuple):
    """Where the chain ends if the commit under way fails, and where if it succeeds."""

    boot: str
    """Which run of the machine wrote this: within it, the record is exact."""
    number: int
    """How many checkpoints the seal knew of when this was written: the seal cannot be older."""
    committed: Place
    pending: Place
    doubtful: tuple[Place, ...] = ()
    """Where failed commits would have led: the disk may have taken one all the same."""
    found: int = 0
    """The first event that was found after a power loss and is not yet signed as such; zero if there is none."""

    def encode(self, signer: CheckpointSigner) -> bytes:
        """Write it down under our code, always in as many bytes."""
        # By hand, because it is written twice for every commit.
        (seq, digest), (later, digest_later) = self.committed, self.pending
        places = f'[{seq},"{digest}"],[{later},"{digest_later}"]'
        for seq, digest in self.doubtful:
            places += f',[{seq},"{digest}"]'
        text = f'{{"boot":{_quoted(self.boot)},"found":{self.found},"number":{self.number},"places":[{places}]}}'
        code = signer.authenticate(f"running\n{text}".encode())
        return f"{text}\n{code}\n".encode().ljust(RUNNING_BYTES)

    @classmethod
    def decode(cls, raw: bytes, signer: CheckpointSigner) -> Self:
        """Read it back; raises NotOursError."""
        data: dict[str, Any] = json.loads(_checked("running", raw.rstrip(b" "), signer))
        committed, pending, *doubtful = ((int(seq), str(digest)) for seq, digest in data["places"])
        return cls(
            boot=data["boot"],
            number=data["number"],
            committed=committed,
            pending=pending,
            doubtful=tuple(doubtful),
            found=data["found"],
        )


@lru_cache(maxsize=8)  # one daemon writes one boot into all of them
def _quoted(text: str) -> str:
    return json.dumps(text)


def _checked(purpose: str, raw: bytes, signer: CheckpointSigner) -> bytes:
    text, _, code = raw.removesuffix(b"\n").rpartition(b"\n")
    if code.decode("ascii", "replace") != signer.authenticate(purpose.encode() + b"\n" + text):
        raise NotOursError(f"it was not written by the holder of {signer.path.name}")
    return text
