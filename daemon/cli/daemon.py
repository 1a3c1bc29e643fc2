"""`aileron daemon`: starting and stopping the one daemon of this user."""

import typer

from daemon.cli import status as status_command
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Start, stop or look at the daemon."
)


@app.command()
def start(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Start the daemon in the background.

    If it runs already, says so and changes nothing.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    running = invocation.connect_if_running()
    if running is not None:
        with running:
            health = running.get("/healthz")
        said = f"The daemon runs already (pid {health['pid']}, version {health['version']})."
        invocation.answer({"started": False, **health}, said)
        return
    with invocation.connect() as client:
        health = client.get("/healthz")
    said = f"The daemon is started (pid {health['pid']}, version {health['version']})."
    invocation.answer({"started": True, **health}, said)


@app.command()
def stop(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Stop the daemon.

    Runs under way are brought to their end first. If it does not run, says so and changes nothing.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.output.progress("Stopping the daemon; runs under way come to their end first"):
        pid = invocation.connection.stop()
    said = "The daemon does not run." if pid is None else f"The daemon is stopped (pid {pid})."
    invocation.answer({"stopped": pid is not None, "pid": pid}, said)


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
