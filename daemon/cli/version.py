"""`aileron version`: which version this is."""

import typer

from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.version import VERSION

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def version(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the version.

    It is that of the command; no daemon is asked or started.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if as_json:
        invocation.output.json({"version": VERSION})
    else:
        invocation.output.line(f"aileron {VERSION}")
