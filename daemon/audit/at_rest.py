"""A log that nobody writes to just now: what a copy of it needs beside the database, and the check of such a copy."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.audit.checkpoint import Head
from daemon.audit.expected import Expected
from daemon.audit.outside import OutsideRecords
from daemon.audit.seal import NotOursError, Seal
from daemon.audit.signing import CheckpointSigner, SigningKeyError
from daemon.audit.verification import VerifyReport, verify
from daemon.base.faults import NO_FAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRest:
    """The log between two commits: where it ends, and the files that say so to whoever opens a copy of it."""

    head: Head
    seal: bytes
    running: bytes


def verify_at_rest(database: Path, key: Path) -> VerifyReport:
    """Check a log that was closed in good order, the seal beside its key included. Raises OSError."""
    try:
        if not key.is_file():
            raise ValueError(f"there is no {key.name}")
        signer = CheckpointSigner.open(key)
        seal = OutsideRecords(signer, boot="", faults=NO_FAULTS).read_seal()
        if seal is None:
            raise ValueError("there is no seal")
    except (SigningKeyError, NotOursError, ValueError, KeyError, TypeError) as problem:
        report = VerifyReport()
        report.add("seal", f"Nothing says how the log must end: {problem}.")
        return report
    report = verify(database, public_keys=signer.public_keys(), expected=_expected(seal))
    for suffix in ("-wal", "-shm"):  # what a look leaves behind
        with suppress(OSError):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
    return report


def _expected(seal: Seal) -> Expected:
    return Expected(
        checkpoint=seal.place,
        number=seal.number,
        most_checkpoints=seal.number if seal.closed else None,
        every=seal.every,
        reached=seal.place,
        end=seal.seq if seal.closed else None,
        resumed=seal.resumed,
    )
