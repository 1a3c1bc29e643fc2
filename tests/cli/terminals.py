"""A command at a terminal of its own, in a forked process, and what stood on the screen."""

import os
import pty
import select
import termios
import time
from collections.abc import Mapping

from daemon.cli.connection import DaemonConnection
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

_SECONDS = 30
_LOCAL_FLAGS = 3


class Terminal:
    """Runs one command line; the test reads and types."""

    def __init__(
        self, connection: DaemonConnection, words: tuple[str, ...], environ: Mapping[str, str] | None = None
    ) -> None:
        self.screen = ""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            code = 99
            try:
                output = Output(out=open(1, "w"), err=open(2, "w"), environ={"TERM": "dumb"})  # noqa: SIM115
                prompts = Prompts(stdin=open(0), output=output, environ={})  # noqa: SIM115
                code = run(
                    words, Invocation(output=output, prompts=prompts, connection=connection, environ=environ or {})
                )
            finally:
                os._exit(code)

    def until(self, text: str) -> None:
        """Wait until something stands on the screen that did not before."""
        deadline = time.monotonic() + _SECONDS
        seen = len(self.screen)
        while text not in self.screen[seen:]:
            assert time.monotonic() < deadline, self.screen
            if not self._read():
                raise AssertionError(f"ended before {text!r}: {self.screen}")

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def echoes(self) -> bool:
        """Say whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._master)[_LOCAL_FLAGS] & termios.ECHO)

    def end(self, *, echoes: bool = True) -> int:
        """Wait for the end, which must leave the terminal as it should be; return the exit code."""
        while self._read():
            pass
        assert self.echoes() == echoes
        os.close(self._master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._master], [], [], _SECONDS)[0]:
            raise AssertionError(f"nothing came any more: {self.screen}")
        try:
            piece = os.read(self._master, 4096)
        except OSError:
            return False
        self.screen += piece.decode()
        return bool(piece)
