"""`aileron sandbox`: sandboxes that run, and the images that agents run in."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import known
from daemon.cli.engine_words import NO_PODMAN, PODMAN, in_words
from daemon.cli.failure import CliFailure
from daemon.cli.ids import short
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line
from daemon.cli.sandbox_running import add_running

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Sandboxes that run, and the images that agents run in.",
)
add_running(app)

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="claude, codex, goose, opencode or pi.", autocompletion=known.agents)
]
_MEGA = 1e6


@app.command()
def build(
    ctx: typer.Context,
    agent: AgentArgument,
    build_ca: Annotated[
        Path | None,
        typer.Option("--build-ca", metavar="FILE", help="Whom to trust, too, while building behind a proxy."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the image for an agent.

    Does nothing if it is there. `aileron launch --sandbox` does the same by itself.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.launch.building import ensure_image

    with invocation.connect() as client:
        built = ensure_image(invocation, client, agent, build_ca=build_ca)
        pins = {pin["agent"]: pin for pin in client.get("/v1/sandbox-images")["pinned"]}
    if as_json:
        invocation.output.json({**pins[agent], "built": built is not None})
    elif built is None:
        invocation.output.note(f"The image for {agent} {pins[agent]['version']} is there: {pins[agent]['tag']}")


@app.command("list")
def list_images(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the sandboxes that run, and the images."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        images = client.get("/v1/sandbox-images")["items"]
        running = client.get("/v1/sandboxes")["items"]
    if as_json:
        invocation.output.json({"images": images, "sandboxes": running})
        return
    rows = [
        (
            one_line(image["agent"]),
            one_line(image["version"]),
            f"{image['bytes'] / _MEGA:.0f} MB",
            "current" if image["current"] else "old: aileron sandbox prune",
            one_line(image["tag"]),
        )
        for image in images
    ]
    invocation.output.table(
        ("ID", "AGENT", "LABEL", "NETWORK"),
        [(short(each["id"]), each["agent"], each["label"], each["network"]) for each in running],
        fold="LABEL",
        empty="No sandbox runs.",
    )
    invocation.output.line()
    invocation.output.table(("AGENT", "VERSION", "SIZE", "STATE", "IMAGE"), rows, empty="No image has been built.")


@app.command()
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where; here, if not given.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a devcontainer.json to start from, and a Dockerfile."""
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.launch.own_container import write_starter

    written = write_starter(folder)
    if as_json:
        invocation.output.json({"files": [str(path) for path in written]})
        return
    for path in written:
        invocation.output.note(f"Wrote {path}")
    invocation.output.note("Edit them, then: aileron launch --sandbox --devcontainer AGENT")


@app.command()
def prune(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The current images, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the images that no launch would use any more."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        removed = client.post("/v1/sandbox-images/prune", body={"everything": everything}, patient=True)["removed"]
    if as_json:
        invocation.output.json({"removed": removed})
    else:
        invocation.output.note(
            "\n".join(f"Removed {one_line(tag)}" for tag in removed) or "There was nothing to remove."
        )


@app.command()
def check(
    ctx: typer.Context,
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="An image of yours to look into.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether this machine can run sandboxes, and what it lacks.

    With the name of an image: say whether an agent can run in it, and what that lacks. Nothing of it is run.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if image is not None:
        _look_into(invocation, image)
        return
    with invocation.connect() as client:
        engine = client.get("/v1/sandbox-engine")
        known = client.get("/v1/sandbox-images")
    there = {image["tag"] for image in known["items"]}
    missing = [pin["agent"] for pin in known["pinned"] if pin["tag"] not in there]
    if as_json:
        invocation.output.json({"engine": engine, "images_to_build": missing})
        return
    if engine["podman"]:
        raise CliFailure(PODMAN, remedy=NO_PODMAN)
    for line in in_words(engine):
        invocation.output.note(line)
    if missing:
        invocation.output.note(f"Images that a first launch will build: {', '.join(missing)}.")


def _look_into(invocation: Invocation, image: str) -> None:
    with invocation.connect() as client:
        found = client.get("/v1/sandbox-images/examine", image=image)
    if invocation.as_json:
        invocation.output.json(found)
    elif not found["lacks"]:
        invocation.output.note(f"An agent can run in {one_line(image)}: aileron launch --sandbox --image {image} AGENT")
    if found["lacks"]:
        raise CliFailure(f"no agent can run in {image}. {' '.join(found['lacks'])}")
