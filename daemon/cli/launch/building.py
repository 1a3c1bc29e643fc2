"""Has the daemon build an image, and shows the steps that take long."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation


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
        if " : RUN " in text or " : FROM " in text:  # the steps that take long
            invocation.output.note(f"  {text[:110]}", style="dim")
        if "done" in told:
            return dict(told)
    raise CliFailure("the daemon went away while it was building")
