"""A launch into a container: sees to the image, asks the daemon for the sandbox, and attaches to it."""

import os
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.launching import terminal
from daemon.cli.launching.attach import attach
from daemon.cli.launching.building import ensure_image
from daemon.cli.launching.copying import told_of_a_copy
from daemon.cli.launching.git_identity import git_identity
from daemon.cli.launching.options import SandboxOptions
from daemon.cli.launching.own_container import with_devcontainer

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_CARRIED = ("TERM", "COLORTERM", "LANG", "LC_ALL", "TZ", "NO_COLOR")
"""What an agent in a container learns of the person's environment without being told."""
_STARTED_CODE = 1


def launch_in_sandbox(
    invocation: "Invocation", client: "ControlClient", agent: str, arguments: list[str], options: SandboxOptions
) -> tuple[str, dict[str, Any]]:
    """Run an agent in a container to its end; return the session and how it ended."""
    ensure_image(invocation, client, agent, build_ca=options.build_ca)
    if options.devcontainer:
        options = with_devcontainer(invocation, client, options)
    raw = terminal.is_terminal()
    if options.network == "open":
        invocation.output.note(
            "The network of this sandbox is OPEN: the agent reaches everything this machine reaches.", style="bold red"
        )
    with told_of_a_copy(invocation):
        started = _start(client, agent, arguments, options, raw=raw)
    for note in started["notes"]:
        invocation.output.note(note, style="bold")
    session = str(started["id"])
    return session, attach(client, session, raw=raw)


def _start(
    client: "ControlClient", agent: str, arguments: list[str], options: SandboxOptions, *, raw: bool
) -> dict[str, Any]:
    columns, rows = terminal.size()
    return dict(
        client.post(
            "/v1/sandboxes",
            body={
                "agent": agent,
                "arguments": [] if options.program else arguments,
                "command": [options.program, *arguments] if options.program else [],
                "image": options.image,
                "workspace": str(options.folder.resolve()),
                "workspace_way": options.workspace,
                "resume": options.resume,
                **git_identity(options.folder, options.environ),
                "label": options.label,
                "owner_pid": os.getpid(),
                "terminal": raw,
                "columns": columns,
                "rows": rows,
                "user": options.user,
                "network": options.network,
                "environment": _environment(options),
                "memory_bytes": _bytes(options.memory),
                "cpus": options.cpus,
                "seconds": options.seconds,
            },
            patient=True,
        )
    )


def _environment(options: SandboxOptions) -> dict[str, str]:
    carried = {name: options.environ[name] for name in _CARRIED if options.environ.get(name)}
    for given in options.variables:
        name, equals, value = given.partition("=")
        if not name or name.startswith("AILERON_"):
            raise CliFailure.usage(f"{given!r} is not NAME or NAME=VALUE, or is a name of ours")
        if not equals and name not in options.environ:
            raise CliFailure.usage(f"--env {name}: there is no such variable here")
        carried[name] = value if equals else options.environ[name]
    return carried


def _bytes(text: str | None) -> int | None:
    if text is None:
        return None
    from daemon.core.quantities import QuantityError, parse_size

    try:
        return parse_size(text)
    except QuantityError as problem:
        raise CliFailure.usage(str(problem)) from problem
