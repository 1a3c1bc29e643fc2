"""`aileron stop`: the short form of `aileron daemon stop`."""

import typer

from daemon.cli.daemon import stop

app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command()(stop)
