"""The commands of `aileron sandbox` for one that runs: end it, run something in it, see it, join its terminal."""

from typing import Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.ids import find_sandbox
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

SandboxArgument = Annotated[
    str,
    typer.Argument(metavar="SESSION", help="The id of its session, or any part of it.", autocompletion=known.sessions),
]
_SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")


def add_running(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command()(stop)
    app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(execute)
    app.command()(logs)
    app.command()(attach)


def stop(ctx: typer.Context, session: SandboxArgument, as_json: JsonOption = False) -> None:
    """End a sandbox and its agent.

    What the agent wrote into its workspace is kept, for `aileron session land`.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        found = find_sandbox(client, session)
        with invocation.output.progress("Ending the sandbox"):
            client.post("/v1/sandboxes/{}/end", found, patient=True)
        item = client.get("/v1/sessions/{}", found)
    if as_json:
        invocation.output.json(item)
        return
    invocation.output.line(f"Ended: {one_line(item['label'])} ({one_line(found)}).")
    invocation.output.note(f"What its agent changed is kept: aileron session diff {found}", style="dim")


def execute(
    ctx: typer.Context,
    session: SandboxArgument,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND", help="The program; a shell, if not given.")
    ] = None,
) -> None:
    """Run a program in a sandbox that runs, beside its agent.

    It has the agent's user, variables, limits and network, and ends with the sandbox. The audit log says who ran what.
    Ends with the exit code of the program.
    """
    invocation = Invocation.of(ctx)
    from daemon.cli.launch import terminal
    from daemon.cli.launch.attach import run_beside

    given = command or []
    words = tuple(given[1:] if given[:1] == ["--"] else given) or _SHELL
    raw = terminal.is_terminal()
    columns, rows = terminal.size()
    with invocation.connect() as client:
        body = {
            "command": list(words),
            "terminal": raw,
            "kind_of_terminal": invocation.environ.get("TERM", "") if raw else "",
            "columns": columns,
            "rows": rows,
        }
        outcome = run_beside(client, find_sandbox(client, session), body, raw=raw)
    raise typer.Exit(_code(outcome))


def logs(
    ctx: typer.Context,
    session: SandboxArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the sandbox ends.")] = False,
) -> None:
    """Print what an agent has written to its terminal.

    The engine keeps about the last megabyte, while the sandbox runs. When it has ended, nothing of it is kept.
    """
    invocation = Invocation.of(ctx)
    from daemon.cli.launch import terminal
    from daemon.cli.launch.attach import show

    with invocation.connect() as client:
        found = find_sandbox(client, session)
        with terminal.lent_terminal(raw=False):
            outcome = show(client.pieces(f"/v1/sandboxes/{found}/logs?follow={str(follow).lower()}"))
    _say_problem(outcome)


def attach(ctx: typer.Context, session: SandboxArgument) -> None:
    """Join the terminal of a sandbox that runs, beside its launcher.

    You see what the agent writes and type to it. Ctrl-] leaves, and the agent goes on. The sandbox still ends when its
    launcher does: an agent that must outlive a connection is launched in tmux or screen.
    """
    invocation = Invocation.of(ctx)
    from daemon.cli.launch import terminal
    from daemon.cli.launch.attach import join

    with invocation.connect() as client:
        found = find_sandbox(client, session)
        known = next(item for item in client.get("/v1/sandboxes")["items"] if item["id"] == found)
        raw = bool(known["terminal"]) and terminal.is_terminal()
        invocation.output.note(f"Joined {one_line(known['label'])}. Ctrl-] leaves.", style="dim")
        outcome = join(client, found, raw=raw)
    if outcome is None:
        invocation.output.note("You have left; the agent goes on.", style="dim")
        return
    _say_problem(outcome)
    invocation.output.note("The sandbox has ended.", style="dim")


def _code(outcome: dict[str, Any]) -> int:
    _say_problem(outcome)
    return int(outcome.get("code", 1))


def _say_problem(outcome: dict[str, Any]) -> None:
    if outcome.get("problem"):
        raise CliFailure(str(outcome["problem"]))
