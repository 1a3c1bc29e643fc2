"""`aileron daemon`: starting and stopping the one daemon of this user."""

import time
from typing import TYPE_CHECKING, Any

import typer

from daemon.cli import status as status_command
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Start, stop or look at the daemon.")

_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.05


@app.command()
def start(ctx: typer.Context) -> None:
    """Start the daemon in the background.

    If it runs already, says so and changes nothing.
    """
    invocation = Invocation.of(ctx)
    running = invocation.connect_if_running()
    if running is not None:
        with running:
            health = running.get("/healthz")
        invocation.output.line(f"The daemon runs already (pid {health['pid']}, version {health['version']}).")
        return
    with invocation.connect() as client:
        health = client.get("/healthz")
    invocation.output.line(f"The daemon is started (pid {health['pid']}, version {health['version']}).")


@app.command()
def stop(ctx: typer.Context) -> None:
    """Stop the daemon.

    Runs under way are brought to their end first. If it does not run, says so and changes nothing.
    """
    invocation = Invocation.of(ctx)
    client = invocation.connect_if_running()
    if client is None:
        invocation.output.line("The daemon does not run.")
        return
    with client, invocation.output.progress("Stopping the daemon; runs under way come to their end first"):
        pid = client.get("/healthz")["pid"]
        client.post("/v1/stop")
        _await_end(invocation, pid)
    invocation.output.line(f"The daemon is stopped (pid {pid}).")


def _await_end(invocation: Invocation, pid: Any) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while invocation.connection.is_running(pid):
        if time.monotonic() > deadline:
            raise CliFailure(
                f"the daemon (pid {pid}) was told to stop, and has not stopped after {_STOP_SECONDS:.0f} s",
                remedy="A long run may still be under way; look again with: aileron status",
            )
        time.sleep(_LOOK_SECONDS)


app.command()(status_command.status)


@app.command()
def run(ctx: typer.Context) -> None:
    """Run the daemon in the foreground.

    It runs until it is stopped, or until Ctrl-C is pressed.
    """
    invocation = Invocation.of(ctx)
    running = invocation.connect_if_running()
    if running is not None:
        running.close()
        raise CliFailure("the daemon runs already", remedy="Stop it first with: aileron stop")
    raise typer.Exit(invocation.connection.run_in_foreground())
