"""`aileron daemon`: starting and stopping the one daemon of this user."""

import typer

from daemon.cli import status as status_command
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Start, stop or look at the daemon."
)


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
    with invocation.output.progress("Stopping the daemon; runs under way come to their end first"):
        pid = invocation.connection.stop()
    if pid is None:
        invocation.output.line("The daemon does not run.")
    else:
        invocation.output.line(f"The daemon is stopped (pid {pid}).")


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
    invocation.connection.run_in_foreground()
