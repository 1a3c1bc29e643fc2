"""`aileron help`: the help of any command, by its name alone."""

from typing import Annotated

import typer
from typer.main import get_command

from daemon.cli.failure import CliFailure

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("help")
def show(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="Its name, such as: binding add. All, if not given.")
    ] = None,
) -> None:
    """Show the help of a command.

    It is the same as what `-h` behind that command shows.
    """
    from daemon.cli.main import app as root

    command = get_command(root)
    settings = {"terminal_width": ctx.terminal_width, **command.context_settings}
    path = typer.Context(command, info_name="aileron", obj=ctx.obj, **settings)
    for name in names or ():
        known = getattr(command, "commands", {})
        inner = command.get_command(path, name) if known else None  # type: ignore[attr-defined]
        if inner is None:
            where = path.command_path
            raise CliFailure.usage(
                f"{where} has no command {name!r}", remedy=f"See those there are with: {where} --help"
            )
        command = inner
        path = typer.Context(command, info_name=name, parent=path)
    typer.echo(command.get_help(path))
