"""A folder's own devcontainer: found, read, and built by the daemon if it is a Dockerfile."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.base.files import create_file
from daemon.cli.failure import CliFailure
from daemon.cli.launch.building import follow_build
from daemon.cli.launch.given import bytes_of, variables_of
from daemon.cli.moments import seconds_of
from daemon.core.devcontainer import DevContainer, read_devcontainer
from daemon.core.failures import DocumentError

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation
    from daemon.core.launch_request import LaunchRequest

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


def with_devcontainer(
    invocation: "Invocation", client: "ControlClient", request: "LaunchRequest", *, build_ca: Path | None
) -> "LaunchRequest":
    """Return the request with what the folder's devcontainer.json says, wherever the person has not said it."""
    folder = Path(request.workspace)
    place = next((folder / name for name in PLACES if (folder / name).is_file()), None)
    if place is None:
        raise CliFailure(f"there is no {PLACES[0]} in {folder}", remedy="Write one: aileron sandbox init")
    try:
        found = read_devcontainer(
            place.read_text(encoding="utf-8"), file=str(place), environ=invocation.environ, workspace=str(folder)
        )
    except (DocumentError, UnicodeDecodeError, OSError) as problem:
        raise CliFailure(str(problem)) from problem
    for name in found.not_obeyed:
        invocation.output.note(f"{place.name}: `{name}` is not obeyed in a sandbox.")
    if found.remote_user is not None:
        invocation.output.note(
            f"{place.name}: the agent runs as you, and not as {found.remote_user}; the files are yours."
        )
    limit = found.settings.get("timeout")
    variables = variables_of((f"{name}={value}" for name, value in found.variables.items()), invocation.environ)
    said = replace(
        request,
        environment=variables | dict(request.environment),
        network=found.network if request.network == "internal" else request.network,
        memory_bytes=request.memory_bytes or bytes_of(found.settings.get("memory")),
        cpus=request.cpus or (float(found.settings["cpus"]) if "cpus" in found.settings else None),
        seconds=request.seconds or (seconds_of(limit, option=f"{place.name}: timeout") if limit else None),
    )
    # Last, because a build takes long and everything that can be refused is refused by now.
    image = found.image if found.dockerfile is None else _build(invocation, client, place, found, build_ca)
    return replace(said, image=request.image or image)


def write_starter(folder: Path) -> list[Path]:
    """Write a devcontainer.json and its Dockerfile; never over one that is there."""
    for name in PLACES:
        if (folder / name).exists():
            raise CliFailure(f"{folder / name} is there already", remedy="Edit that one.")
    written = {folder / PLACES[0]: STARTER, folder / ".devcontainer" / "Dockerfile": STARTER_DOCKERFILE}
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        try:
            create_file(path, text.encode(), mode=None)
        except FileExistsError:
            continue  # a Dockerfile of the person's own is what it should be built from
    return list(written)


def _build(
    invocation: "Invocation", client: "ControlClient", place: Path, found: DevContainer, build_ca: Path | None
) -> str:
    context = (place.parent / found.context).resolve()
    body = {
        "context": str(context),
        "dockerfile": str((place.parent / str(found.dockerfile)).resolve()),
        "arguments": dict(found.arguments),
        "build_ca": None if build_ca is None else str(build_ca.resolve()),
    }
    invocation.output.note(f"Building {found.dockerfile} of {place.parent}.")
    return str(follow_build(invocation, client, "/v1/sandbox-images/build-own", body)["done"])
