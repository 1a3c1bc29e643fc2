"""The two files beside the audit key that tell what the log must hold: `audit.seal` and `audit.running`."""

import contextlib
import os
from pathlib import Path

from daemon.audit.checkpoint import Head
from daemon.audit.seal import Place, RunningHead, Seal
from daemon.audit.signing import CheckpointSigner
from daemon.base.faults import FaultPoints
from daemon.base.files import replace_file


class OutsideRecords:
    """Reads and writes the seal and the running head; used by the writer of the log alone."""

    def __init__(self, signer: CheckpointSigner, *, boot: str, faults: FaultPoints) -> None:
        self._signer = signer
        self._boot = boot
        self._faults = faults
        self._running: int | None = None
        self.seal_path: Path = signer.path.with_name("audit.seal")
        self.running_path: Path = signer.path.with_name("audit.running")
        self.number = 0
        """How many checkpoints the seal on the disk knows of."""
        self.found = 0
        """The first event that nobody vouches for, until a checkpoint says so; zero if there is none."""
        self.doubtful: tuple[Place, ...] = ()
        """Where commits that failed would have led; the disk may have taken one of them all the same."""

    def read_seal(self) -> Seal | None:
        """Return the seal, or nothing if there is no such file; raises NotOursError and OSError."""
        try:
            seal = Seal.decode(self.seal_path.read_bytes(), self._signer)
        except FileNotFoundError:
            return None
        self.number = seal.number
        return seal

    def read_running(self) -> RunningHead | None:
        """Return the running head, or nothing if there is no such file; raises NotOursError and OSError."""
        try:
            return RunningHead.decode(self.running_path.read_bytes(), self._signer)
        except FileNotFoundError:
            return None

    def furthest(self) -> int:
        """Return the number of the last event that any of the two files speaks of, as far as they can be read."""
        places = [(0, "")]
        with contextlib.suppress(ValueError, KeyError, TypeError):
            seal, running = self.read_seal(), self.read_running()
            places += [] if seal is None else [seal.place]
            places += [] if running is None else [running.committed, running.pending, *running.doubtful]
        return max(places)[0]

    def begin(self, head: Head, seal: Seal, *, found: int = 0) -> None:
        """Write both anew, before the first event of this daemon is written; raises OSError."""
        self.found = found
        self._write_both(head, seal)
        self._signer.mark_sealed()

    def end(self, head: Head, seal: Seal) -> None:
        """Write both for the last time, with a seal that is closed; raises OSError."""
        self._write_both(head, seal)
        self._close()

    def closed(self, head: Head, seal: Seal) -> tuple[bytes, bytes]:
        """Return what `end` would write, for a copy of the log."""
        return seal.encode(self._signer), self._between(head, head)

    def _write_both(self, head: Head, seal: Seal) -> None:
        running = self._between(head, head)
        self._close()
        # First what may be younger than the other: a kill in between leaves a seal that is still open.
        replace_file(self.running_path, running)
        self.write_seal(seal)

    def announce(self, before: Head, after: Head) -> None:
        """Say where the chain will end, before the commit that makes it so."""
        if self._running is None:
            # Not made here: if someone removed it, that is to be noticed.
            self._running = os.open(self.running_path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        raw = self._between(before, after)
        try:
            written = os.pwrite(self._running, raw, 0)
            if written != len(raw):
                _write_rest(self._running, raw, written)
        except OSError as problem:
            problem.filename = problem.filename or str(self.running_path)  # the system leaves it out of such errors
            raise

    def write_seal(self, seal: Seal) -> None:
        """Replace the seal and sync it; raises OSError."""
        self._faults.hit("audit.before_seal")
        raw = seal.encode(self._signer)
        replace_file(self.seal_path, raw, before_replace=lambda: self._faults.hit("audit.seal_written"))
        self.number = seal.number
        self._faults.hit("audit.after_seal")

    def _between(self, before: Head, after: Head) -> bytes:
        committed, pending = (before.seq, before.hash), (after.seq, after.hash)
        running = RunningHead(self._boot, self.number, committed, pending, self.doubtful, self.found)
        return running.encode(self._signer)

    def _close(self) -> None:
        if self._running is not None:
            os.close(self._running)
            self._running = None


def _write_rest(descriptor: int, raw: bytes, written: int) -> None:
    """Write what the disk did not take of the running head at once; a disk that takes only a part has failed."""
    # The rest says why: a full disk takes a part first, and nothing at the second try.
    rest = os.pwrite(descriptor, raw[written:], written)
    if written + rest != len(raw):
        raise OSError(f"only {written + rest} of {len(raw)} bytes could be written")
