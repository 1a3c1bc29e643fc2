"""`aileron launch`: start an agent on this machine, with your actions as its tools and a session of its own."""

import os
from pathlib import Path
from typing import get_args

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.launch.options import (
    AgentArgument,
    BuildCaOption,
    CpusOption,
    DevcontainerOption,
    FolderOption,
    ImageOption,
    LabelOption,
    LandOption,
    MemoryOption,
    NetworkOption,
    OwnArguments,
    ProgramOption,
    ResumeOption,
    SandboxOption,
    TimeoutOption,
    UserOption,
    VariablesOption,
    WorkspaceOption,
    check_land,
    one_of,
)
from daemon.cli.options import JsonOption

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def launch(
    ctx: typer.Context,
    agent: AgentArgument,
    arguments: OwnArguments = None,
    label: LabelOption = "",
    folder: FolderOption = None,
    sandbox: SandboxOption = False,
    image: ImageOption = None,
    devcontainer: DevcontainerOption = False,
    program: ProgramOption = None,
    network: NetworkOption = "internal",
    variables: VariablesOption = None,
    user: UserOption = None,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    timeout: TimeoutOption = None,
    wish: LandOption = None,
    workspace: WorkspaceOption = "auto",
    resume: ResumeOption = None,
    build_ca: BuildCaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start an agent with your actions as its tools.

    Runs it in the foreground and ends with its exit code: on this machine with its own configuration as it is, or
    with --sandbox in a container with an empty home. The session ends with the agent. The last line, on stderr, says
    what happened; with --json it is one JSON object.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    given, here = _checked(ctx, agent, arguments or [], folder)
    label = label or f"{agent} in {here.resolve().name}"[:200]
    if not sandbox:
        from daemon.cli.launch.on_host import launch_on_host

        raise typer.Exit(launch_on_host(invocation, agent, given, label=label, folder=folder))
    from daemon.cli.launch.given import bytes_of, variables_of
    from daemon.cli.launch.in_sandbox import run_in_sandbox
    from daemon.cli.moments import seconds_of
    from daemon.core.launch_request import LaunchRequest, NetworkReach, WorkspaceWay

    check_land(wish, live=workspace == "live", interactive=invocation.prompts.interactive)
    request = LaunchRequest(
        agent=agent,
        arguments=() if program else given,
        command=(program, *given) if program else (),
        image=image,
        workspace=str(here.resolve()),
        workspace_way=one_of("--workspace", workspace, get_args(WorkspaceWay)),
        resume=resume,
        label=label,
        owner_pid=os.getpid(),
        user=user,
        network=one_of("--network", network, get_args(NetworkReach)),
        environment=variables_of(variables or (), invocation.environ),
        memory_bytes=bytes_of(memory),
        cpus=cpus,
        seconds=None if timeout is None else seconds_of(timeout, option="--timeout"),
    )
    raise typer.Exit(run_in_sandbox(invocation, request, wish, devcontainer=devcontainer, build_ca=build_ca))


def _checked(ctx: typer.Context, agent: str, arguments: list[str], folder: Path | None) -> tuple[tuple[str, ...], Path]:
    """Return what the agent itself is given, and the folder it works in; raise CliFailure for a line that is wrong."""
    from daemon.cli.launch.finding import known
    from daemon.cli.launch.misplaced import refuse_misplaced, refuse_without_sandbox

    refuse_misplaced(ctx, agent, arguments)
    if not ctx.params["sandbox"]:
        refuse_without_sandbox(ctx)
    if folder is not None and not folder.is_dir():
        raise CliFailure.usage(f"{folder} is not a folder")
    known(agent)
    # A first `--` says where the agent's own arguments begin, and is none of them.
    given = arguments[1:] if arguments[:1] == ["--"] else arguments
    return tuple(given), folder or Path.cwd()
