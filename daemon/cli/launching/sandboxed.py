"""A launch into a container: sees to the image, asks the daemon for the sandbox, and attaches to it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.launching import terminal
from daemon.cli.launching.attach import attach
from daemon.cli.launching.copying import told_of_a_copy
from daemon.cli.launching.git_identity import git_identity
from daemon.cli.launching.own_container import with_devcontainer

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_CARRIED = ("TERM", "COLORTERM", "LANG", "LC_ALL", "TZ", "NO_COLOR")
"""What an agent in a container learns of the person's environment without being told."""
_STARTED_CODE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What the person asked for."""

    folder: Path
    label: str = ""
    devcontainer: bool = False
    image: str | None = None
    program: str | None = None
    network: str = "internal"
    variables: Sequence[str] = ()
    user: str | None = None
    memory: str | None = None
    cpus: float | None = None
    seconds: float | None = None
    build_ca: Path | None = None
    workspace: str = "auto"
    """How the agent has the folder: auto, copy or live."""
    resume: str | None = None
    """A session that ended, whose work goes on."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


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


def ensure_image(
    invocation: "Invocation", client: "ControlClient", agent: str, *, build_ca: Path | None = None
) -> dict[str, Any] | None:
    """Build the image of an agent unless it is there; return what was built."""
    known = client.get("/v1/sandbox-images")
    tags = {pin["agent"]: pin["tag"] for pin in known["pinned"]}
    if agent not in tags:
        raise CliFailure.usage(f"there is no image for {agent!r}", remedy=f"Agents: {', '.join(tags)}.")
    if any(image["tag"] == tags[agent] for image in known["items"]):
        return None
    invocation.output.note(f"Building the image for {agent}, once; this takes a few minutes.")
    body = {"agent": agent, "build_ca": None if build_ca is None else str(build_ca.resolve())}
    told = follow_build(invocation, client, "/v1/sandbox-images/build", body)
    if told.get("built"):
        invocation.output.note(f"Built {told['done']}: {told['bytes'] / 1e6:.0f} MB in {told['seconds']:.0f} s.")
    return told


def follow_build(
    invocation: "Invocation", client: "ControlClient", path: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask for a build and show what takes its time; return how it ended, or raise with the last it printed."""
    for told in client.told(path, body=body):
        if "error" in told:
            lines = "".join(f"\n  {line}" for line in told["output"])
            remedy = "Behind a proxy that signs anew: --build-ca FILE" if lines else None
            raise CliFailure(f"{told['error']}{lines}", remedy=remedy)
        text = str(told.get("text", ""))
        if " : RUN " in text or " : FROM " in text:  # what takes its time
            invocation.output.note(f"  {text[:110]}", style="dim")
        if "done" in told:
            return dict(told)
    raise CliFailure("the daemon went away while it was building")


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
