"""The entry point of `aileron`: the table of commands, the global options, and how a command ends."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from daemon.cli.failure import CliFailure, ExitCode, unexpected
from daemon.cli.invocation import Invocation
from daemon.cli.lazy import LazyCommand, LazyGroup
from daemon.cli.old_spellings import renew
from daemon.cli.parameters import set_up_parameters
from daemon.cli.streams import leave, open_streams

set_up_parameters()


class _Root(LazyGroup):
    table = {  # noqa: RUF012 - a constant; the base class declares it a Mapping
        "launch": LazyCommand("daemon.cli.launch.command", "Start an agent with your actions as its tools."),
        "sandbox": LazyCommand("daemon.cli.sandbox", "Sandboxes that run, and the images that agents run in."),
        "agent": LazyCommand("daemon.cli.agent", "Give agents that you start yourself your actions as tools."),
        "status": LazyCommand("daemon.cli.status", "Show what the daemon is doing."),
        "doctor": LazyCommand("daemon.cli.doctor", "Check the installation and say how to repair it."),
        "daemon": LazyCommand("daemon.cli.daemon", "Start, stop or look at the daemon."),
        "logs": LazyCommand("daemon.cli.logs", "Print the daemon's own log."),
        "stop": LazyCommand("daemon.cli.stop", "Stop the daemon."),
        "config": LazyCommand("daemon.cli.config", "See and change the settings."),
        "vault": LazyCommand("daemon.cli.vault", "Create, unlock and lock the vault."),
        "secret": LazyCommand("daemon.cli.secret", "Store plain secrets in the vault."),
        "binding": LazyCommand("daemon.cli.binding", "Give connectors the credentials they may use."),
        "connector": LazyCommand("daemon.cli.connector", "Install and look at connectors."),
        "keyring": LazyCommand("daemon.cli.keyring", "Choose whose signatures on connectors you trust."),
        "server": LazyCommand("daemon.cli.server", "Add MCP servers, and decide what of them is offered."),
        "action": LazyCommand("daemon.cli.action", "Write, check and run actions."),
        "approval": LazyCommand("daemon.cli.approval", "See and decide what waits for your approval."),
        "question": LazyCommand("daemon.cli.question", "See and answer what servers ask you."),
        "audit": LazyCommand("daemon.cli.audit", "Read and verify the audit log."),
        "backup": LazyCommand("daemon.cli.backup", "Pack everything of your installation into one file."),
        "restore": LazyCommand("daemon.cli.restore", "Bring an installation back from a backup."),
        "session": LazyCommand("daemon.cli.session", "See sessions of agents, and decide what lands."),
        "open": LazyCommand("daemon.cli.open", "Open a page of the daemon in the browser."),
        "version": LazyCommand("daemon.cli.version", "Show the version."),
        "help": LazyCommand("daemon.cli.help", "Show the help of a command."),
        "completion": LazyCommand("daemon.cli.completion", "Have your shell complete what you type."),
    }


_COMPLETION_SECONDS = 0.35

# Plain help text: Typer's boxes would import Rich, and double the time that `--help` takes.
app = typer.Typer(
    cls=_Root,
    name="aileron",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        from daemon.version import VERSION

        typer.echo(f"aileron {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; AILERON_DEBUG=1 does the same.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Aileron runs what an agent proposes: sealed, bounded, approved by you and audited."""
    invocation = ctx.find_object(Invocation)
    if invocation is not None and debug:
        invocation.debug = True


def run(arguments: Sequence[str], invocation: Invocation) -> int:
    """Run one command line and return its exit code."""
    renewed = renew(arguments)
    if renewed.note is not None:
        invocation.output.note(renewed.note, style="yellow")
    try:
        get_command(app).main(list(renewed.arguments), prog_name="aileron", obj=invocation)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CliFailure as failure:
        return _end(failure, invocation)
    except Exception as error:
        if invocation.debug:
            raise
        return _end(unexpected(error, invocation.connection.other_version), invocation)
    return ExitCode.OK


def _complete(shell: str) -> None:
    import signal

    from daemon.cli.completing import complete

    # Whoever pressed the key waits: a daemon that hangs, or a disk that does, ends this without a word.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, _COMPLETION_SECONDS)
    complete(shell, get_command(app), os.environ)


def _end(failure: CliFailure, invocation: Invocation) -> int:
    if invocation.debug:
        import traceback

        traceback.print_exception(failure)
    try:
        if invocation.as_json:
            invocation.output.json(failure.envelope())
    except (OSError, ValueError):
        pass  # the answer cannot be written, which the failure may be about; it is told on the other stream
    invocation.output.failure(failure)
    return failure.exit_code


def main() -> None:
    """Run the command line of this process, or answer a shell that completes one."""
    open_streams()
    if shell := os.environ.get("_AILERON_COMPLETE"):
        _complete(shell)
        leave(ExitCode.OK)
    # A command lives for a moment; one that follows something still collects garbage, only more rarely.
    gc.set_threshold(100_000)
    leave(run(sys.argv[1:], Invocation.from_process()))
