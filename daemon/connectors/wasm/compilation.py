"""Runs the compiler in a child process with a timeout, and turns every way it can end into an answer."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from daemon.connectors.wasm import compiler
from daemon.connectors.wasm.errors import ConnectorCancelled, ConnectorRejected

TIMEOUT_SECONDS = 120.0


class Compilation:
    """Compiles programs, one at a time: each is bounded, and together they must not be more than one."""

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._closed = False

    async def compile_file(self, source: Path, target: Path) -> None:
        """Compile a file into another one, or raise ConnectorRejected."""
        async with self._turn:
            if self._closed:
                raise ConnectorCancelled("The runtime is closing.")
            child = self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(Path(compiler.__file__)),
                str(source),
                str(target),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                # Every arena of the allocator takes address space, and the compiler starts a thread for each core.
                env={"MALLOC_ARENA_MAX": "2", "RAYON_NUM_THREADS": "4", "PATH": os.defpath},
            )
            try:
                if self._was_closed():  # while the child was only being started, so that close() did not see it
                    _kill(child)
                async with asyncio.timeout(self._timeout):
                    output, errors = await child.communicate()
            except TimeoutError:
                raise ConnectorRejected(
                    f"Compiling connector.wasm took longer than {self._timeout:g} s, so it was stopped."
                ) from None
            finally:
                self._child = None
                if child.returncode is None:
                    _kill(child)
                    await child.wait()
        if self._closed:
            raise ConnectorCancelled("The runtime is closing.")
        self._judge(child.returncode or 0, output, errors)

    def _was_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Kill the child that is at work, if any, and refuse further work."""
        self._closed = True
        if self._child is not None:
            _kill(self._child)

    def _judge(self, status: int, output: bytes, errors: bytes) -> None:
        try:
            outcome = json.loads(output)
        except ValueError:
            outcome = None
        if status == 0 and isinstance(outcome, dict):
            if outcome.get("ok") is True:
                return
            raise ConnectorRejected(str(outcome.get("rejected")))
        if status in {-signal.SIGXCPU, -signal.SIGKILL}:
            raise ConnectorRejected("Compiling connector.wasm used more processor time or memory than it may.")
        if status < 0:
            raise ConnectorRejected(
                "Compiling connector.wasm ended abnormally"
                f" ({signal.Signals(-status).name}); it is malformed, or needs more memory than it may use."
            )
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ConnectorRejected(f"The compiler failed with status {status}: {ascii(last[0][:300])[1:-1]}")


def _kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
