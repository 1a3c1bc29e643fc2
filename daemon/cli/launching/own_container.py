"""A folder's own devcontainer: found, read, and built by the daemon if it is a Dockerfile."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.core.devcontainer import DevContainer, read_devcontainer
from daemon.core.failures import DocumentError

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation
    from daemon.cli.launching.options import SandboxOptions

PLACES = (".devcontainer/devcontainer.json", ".devcontainer.json")
STARTER = """\
// The container agents work in: aileron launch --sandbox --devcontainer AGENT
{
  "build": { "dockerfile": "Dockerfile" },
  "containerEnv": {},
  // Limits of the sandbox, if the usual ones do not fit.
  "customizations": { "aileron": { "memory": "4GiB" } }
}
"""
STARTER_DOCKERFILE = """\
# Anything with glibc and a shell; the agent and aileron-mcp are mounted into it.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git && rm -rf /var/lib/apt/lists/*
"""


def with_devcontainer(invocation: "Invocation", client: "ControlClient", options: "SandboxOptions") -> "SandboxOptions":
    """Return the options with what the folder's devcontainer.json says, wherever the person has not said it."""
    folder = options.folder.resolve()
    place = next((folder / name for name in PLACES if (folder / name).is_file()), None)
    if place is None:
        raise CliFailure(f"there is no {PLACES[0]} in {folder}", remedy="Write one: aileron sandbox init")
    try:
        found = read_devcontainer(
            place.read_text(encoding="utf-8"), file=str(place), environ=options.environ, workspace=str(folder)
        )
    except (DocumentError, UnicodeDecodeError, OSError) as problem:
        raise CliFailure(str(problem)) from problem
    for name in found.not_obeyed:
        invocation.output.note(f"{place.name}: `{name}` is not obeyed in a sandbox.")
    if found.remote_user is not None:
        invocation.output.note(
            f"{place.name}: the agent runs as you, and not as {found.remote_user}; the files are yours."
        )
    image = found.image if found.dockerfile is None else _build(invocation, client, place, found, options)
    variables = [f"{name}={value}" for name, value in found.variables.items()]
    limit = found.settings.get("timeout")
    from daemon.cli.moments import seconds_of

    return replace(
        options,
        image=options.image or image,
        variables=(*variables, *options.variables),
        network=found.settings.get("network", "internal") if options.network == "internal" else options.network,
        memory=options.memory or found.settings.get("memory"),
        cpus=options.cpus or (float(found.settings["cpus"]) if "cpus" in found.settings else None),
        seconds=options.seconds or (seconds_of(limit, option=f"{place.name}: timeout") if limit else None),
    )


def write_starter(folder: Path) -> list[Path]:
    """Write a devcontainer.json and its Dockerfile; never over one that is there."""
    for name in PLACES:
        if (folder / name).exists():
            raise CliFailure(f"{folder / name} is there already", remedy="Edit that one.")
    written = {folder / PLACES[0]: STARTER, folder / ".devcontainer" / "Dockerfile": STARTER_DOCKERFILE}
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue  # a Dockerfile of the person's own is what it should be built from
    return list(written)


def _build(
    invocation: "Invocation", client: "ControlClient", place: Path, found: DevContainer, options: "SandboxOptions"
) -> str:
    from daemon.cli.launching.building import follow_build

    context = (place.parent / found.context).resolve()
    body = {
        "context": str(context),
        "dockerfile": str((place.parent / str(found.dockerfile)).resolve()),
        "arguments": dict(found.arguments),
        "build_ca": None if options.build_ca is None else str(options.build_ca.resolve()),
    }
    invocation.output.note(f"Building {found.dockerfile} of {place.parent}.")
    return str(follow_build(invocation, client, "/v1/sandbox-images/build-own", body)["done"])
