"""`aileron server logs`: what a local server wrote to its error output."""

import time
from typing import Annotated

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

_PAUSE_SECONDS = 0.2


def logs(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The server's name.", autocompletion=known.servers)],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="NUMBER", min=0, max=10_000, help="So many of the last lines.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Print what a local server wrote to its error output.

    It lies in logs/servers/NAME.log in the Aileron home. Secrets that the server was given are taken out of it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.log_files import Follower, last_lines
    from daemon.cli.log_files import follow as follow_log

    if as_json and follow:
        raise CliFailure.usage("--json prints what there is, and --follow goes on", remedy="Pass one of them.")
    if "/" in name or name.startswith("."):
        raise CliFailure.usage(f"{name!r} is no name of a server", remedy="See: aileron server list")
    path = invocation.home().server_logs_dir / f"{name}.log"
    follower = Follower(path)
    if follow:
        follower.begin()
    known_lines = last_lines(path, lines)
    if as_json:
        invocation.output.json({"name": name, "file": str(path), "lines": known_lines})
        return
    for line in known_lines:
        invocation.output.line(neutralise(line))
    if not path.exists():
        _say_why_nothing(invocation, name, follow=follow)
    elif not known_lines and lines and not follow:
        invocation.output.note(f"{one_line(name)} has not written anything to {path} yet.", style="dim")
    if follow:
        try:
            for line in follow_log(follower, pause=lambda: time.sleep(_PAUSE_SECONDS)):
                invocation.output.line(neutralise(line))
        finally:
            follower.close()


def _say_why_nothing(invocation: Invocation, name: str, *, follow: bool) -> None:
    """Tell a server that wrote nothing from one that cannot, and from one that is not there."""
    with invocation.connect() as client:
        server = client.get("/v1/servers/{}", name)
    if server["mode"] == "remote":
        raise CliFailure.usage(
            f"{one_line(name)} runs elsewhere, and what it logs is there",
            remedy=f"What went wrong last: aileron server show {name}",
        )
    waits = " What it writes comes here; Ctrl-C ends this." if follow else ""
    invocation.output.note(f"{one_line(name)} has not written anything yet.{waits}", style="dim")
    if server["error"] is not None:
        invocation.output.note(f"What went wrong last: {one_line(server['error'])}", style="yellow")
