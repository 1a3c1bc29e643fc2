"""`aileron agent`: our server in the configuration of agents that you start by yourself."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption

if TYPE_CHECKING:
    from daemon.cli.launch.config_file import ConfigFile
    from launchers.registration.entries import Place

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Give agents that you start yourself your actions as tools.",
)

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="claude, codex, goose, opencode or pi.", autocompletion=known.agents)
]
_RESTART = "An agent that runs already notices it when it is started anew."


@app.command()
def add(
    ctx: typer.Context,
    agent: AgentArgument,
    force: Annotated[bool, typer.Option("--force", help="Replace a server called aileron that is not ours.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write aileron-mcp into the agent's own configuration.

    Everything else in the file stays as it is, and what it was is kept beside it. No secret is written: the server
    finds the daemon by itself.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    path, place = _place(invocation, agent)
    file, changed = _changed(
        path, lambda file: place.register(file.text, _command(), _variables(invocation), force=force)
    )
    if changed == file.text:
        _tell(invocation, agent, path, f"{path} has it already; nothing was changed.", changed=False)
        return
    # What already holds our entry is not what the person had, and must not take its place beside the file.
    file.replace(changed, keep=not place.is_registered(file.text))
    _tell(invocation, agent, path, f"Registered in {path}.", changed=True)
    invocation.output.note(_RESTART)


@app.command()
def remove(ctx: typer.Context, agent: AgentArgument, as_json: JsonOption = False) -> None:
    """Take aileron-mcp out of the agent's own configuration again.

    A server of yours that --force replaced is put back.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    path, place = _place(invocation, agent)
    file, changed = _changed(path, lambda file: place.unregister(file.text, file.before()))
    if changed == file.text:
        _tell(invocation, agent, path, f"{path} has no entry of ours; nothing was changed.", changed=False)
        return
    file.replace(changed, keep=False)
    _tell(invocation, agent, path, f"Taken out of {path}.", changed=True)


def _tell(invocation: Invocation, agent: str, path: Path, text: str, *, changed: bool) -> None:
    invocation.answer({"agent": agent, "file": str(path), "changed": changed}, text)


@app.command("list")
def list_agents(
    ctx: typer.Context,
    agent: Annotated[
        str | None, typer.Argument(metavar="AGENT", help="One of them; all, if not given.", autocompletion=known.agents)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which agents have it in their configuration."""
    from daemon.cli.launch.config_file import ConfigFile
    from launchers.registration.entries import PLACES
    from launchers.registration.errors import RegistrationError
    from launchers.registration.ownership import is_ours

    invocation = Invocation.of(ctx, as_json=as_json)
    items = []
    for name in PLACES if agent is None else (agent,):
        path, place = _place(invocation, name)
        try:
            there = place.find(ConfigFile.read(path).text)
        except RegistrationError as problem:
            state = f"cannot be read: {problem}"
        else:
            state = "no" if there is None else "not ours" if not is_ours(there) else "yes"
            if state == "yes" and there != place.entry(_command(), _variables(invocation)):
                state = "yes, by another installation or version"
        items.append({"agent": name, "registered": state, "file": str(path)})
    if as_json:
        invocation.output.json({"items": items})
        return
    rows = [[item["agent"], item["registered"], item["file"]] for item in items]
    invocation.output.table(["agent", "registered", "file"], rows, fold="file", empty="", styles={"yes": "green"})


def _place(invocation: Invocation, agent: str) -> "tuple[Path, Place]":
    from daemon.cli.launch.finding import known
    from launchers.registration.entries import PLACES

    place = PLACES[known(agent).name]
    home = Path(invocation.environ.get("HOME") or Path.home())
    if place.moved_by is not None and (moved := invocation.environ.get(place.moved_by[0])):
        return Path(moved) / place.moved_by[1], place
    return home / place.path, place


def _changed(path: Path, change: "Callable[[ConfigFile], str]") -> "tuple[ConfigFile, str]":
    from daemon.cli.launch.config_file import ConfigFile
    from launchers.registration.errors import RegistrationError

    file = ConfigFile.read(path)
    try:
        return file, change(file)
    except RegistrationError as problem:
        raise CliFailure(f"{path} was left alone: {problem}") from problem


def _command() -> tuple[str, ...]:
    """Return what starts our server from anywhere: the program beside this one, if it is there."""
    program = Path(sys.executable).with_name("aileron-mcp")
    return (str(program),) if os.access(program, os.X_OK) else (sys.executable, "-P", "-m", "aileron_mcp")


def _variables(invocation: Invocation) -> Mapping[str, str]:
    home = invocation.environ.get("AILERON_HOME")
    return {"AILERON_HOME": str(Path(home).expanduser().resolve())} if home else {}
