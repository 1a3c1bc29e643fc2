"""One run of the program: where it writes, whom it can ask, and how it reaches the daemon."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from daemon.cli.connection import DaemonConnection
from daemon.cli.failure import CliFailure
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

if TYPE_CHECKING:
    import typer

    from daemon.base.home import Home
    from daemon.cli.client import ControlClient


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(kw_only=True)
class Invocation:
    """What a command needs of the world around it."""

    output: Output
    prompts: Prompts
    connection: DaemonConnection
    environ: Mapping[str, str]
    now: Callable[[], datetime] = field(default=_utc_now)
    debug: bool = False
    as_json: bool = False

    @classmethod
    def from_process(cls) -> "Invocation":
        """Take streams and environment from the running process."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # In a locale that is not UTF-8, a name that cannot be written is spelled out, and no reason to fail.
                stream.reconfigure(errors="backslashreplace")
        output = Output(out=sys.stdout, err=sys.stderr, environ=os.environ)
        return cls(
            output=output,
            prompts=Prompts(stdin=sys.stdin, output=output, environ=os.environ),
            connection=DaemonConnection(),
            environ=os.environ,
            debug=os.environ.get("AILERON_DEBUG") == "1",
        )

    @staticmethod
    def of(ctx: "typer.Context", *, as_json: bool = False) -> "Invocation":
        """Return the invocation that a command runs in."""
        invocation = ctx.find_object(Invocation)
        if invocation is None:
            raise RuntimeError("a command was run without daemon.cli.main.run")
        invocation.as_json = as_json
        return invocation

    def answer(self, value: Any, text: str) -> None:
        """Write what a command did: the value with --json, else the text."""
        if self.as_json:
            self.output.json(value)
        else:
            self.output.line(text)

    def need_yes_with_json(self, *, yes: bool) -> None:
        """Refuse to ask about what --json does not show."""
        if self.as_json and not yes:
            raise CliFailure.usage(
                "with --json nothing is shown, so nobody can agree to it", remedy="Pass --yes as well."
            )

    def home(self) -> "Home":
        """Return the Aileron home that the environment names."""
        return self.connection.home()

    def connect(self) -> "ControlClient":
        """Return a client of the daemon, which is started first when it does not run."""
        with self.output.progress("Starting the daemon"):
            return self.connection.open()

    def connect_if_running(self) -> "ControlClient | None":
        """Return a client of the daemon if it runs; it is not started for this."""
        return self.connection.open_if_running()
