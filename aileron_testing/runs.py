"""A program on the jailed network, read while it runs."""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aileron_testing.errors import AileronError

if TYPE_CHECKING:
    from aileron_testing.daemon import Daemon

_HEAD = 5
_POLL_SECONDS = 0.05
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended."""

    exit_code: int
    stdout: str
    stderr: str
    because: str | None
    """Why it was ended, if it did not end by itself."""


class Run:
    """One container; its session is what the audit log calls it."""

    def __init__(self, daemon: "Daemon", session: str) -> None:
        self.session = session
        self._daemon = daemon
        self._parts: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._outcome: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def stdout(self) -> str:
        """Return what it has written so far."""
        return self._parts[_STDOUT].decode(errors="replace")

    @property
    def stderr(self) -> str:
        """Return what it has written to its errors so far."""
        return self._parts[_STDERR].decode(errors="replace")

    @property
    def written(self) -> Path:
        """Return the folder with what it added and changed, by the same paths; it is there if it wrote anything."""
        place = self._daemon.home / "workspaces" / self.session / "work"
        return place / "copy" if (place / "copy").is_dir() else place / "upper"

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until it has written something."""
        deadline = time.monotonic() + seconds
        while text not in self.stdout:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise AileronError(f"It did not write {text!r}; it wrote: {self.stdout[-500:]} {self.stderr[-500:]}")
            time.sleep(_POLL_SECONDS)

    def wait(self, seconds: float = 120.0) -> Finished:
        """Wait for its end."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise AileronError(f"The program still runs after {seconds:g} s; so far it wrote: {self.stdout[-500:]}")
        if self._outcome is None:
            raise AileronError("The daemon went away while the program ran.")
        return Finished(int(self._outcome["code"]), self.stdout, self.stderr, self._outcome.get("ended_because"))

    def stop(self) -> None:
        """End it."""
        if self._thread.is_alive():
            self._daemon.ask("POST", f"/v1/sandboxes/{self.session}/end")
            self._thread.join(30)

    def _listen(self) -> None:
        held = b""
        with self._daemon.stream(f"/v1/sandboxes/{self.session}/output") as answer:
            for chunk in answer.iter_raw():
                held += chunk
                while len(held) >= _HEAD and len(held) >= (end := _HEAD + int.from_bytes(held[1:_HEAD], "big")):
                    kind, piece, held = held[0], held[_HEAD:end], held[end:]
                    if kind in self._parts:
                        self._parts[kind] += piece
                    else:
                        self._outcome = json.loads(piece)
