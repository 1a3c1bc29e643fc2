"""Has the daemon build an image, and shows how far it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure, ExitCode

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation
    from daemon.cli.waiting import Waiting

_SHOWN = 110
_MEGA = 1e6
_LONG_STEPS = ("RUN", "FROM")


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
    invocation.output.note(
        f"Building the image for {agent}, once: a few minutes, and 0.5 to 0.8 GB of disk. Ctrl-C gives it up."
    )
    body = {"agent": agent, "build_ca": None if build_ca is None else str(build_ca.resolve())}
    told = follow_build(invocation, client, "/v1/sandbox-images/build", body)
    if told.get("built"):
        invocation.output.note(f"Built {told['done']}: {told['bytes'] / _MEGA:.0f} MB in {told['seconds']:.0f} s.")
    return told


def follow_build(
    invocation: "Invocation", client: "ControlClient", path: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask for a build and show what takes its time; return how it ended, or raise with the last it printed.

    Ctrl-C closes the connection. The daemon gives a build up that nobody waits for any more.
    """
    try:
        with invocation.output.progress("Building") as waiting:
            for told in client.told(path, body=body):
                if "error" in told:
                    lines = "".join(f"\n  {line}" for line in told["output"])
                    remedy = "Behind a proxy that signs anew: --build-ca FILE" if lines else None
                    raise CliFailure(f"{told['error']}{lines}", remedy=remedy)
                if "done" in told:
                    return dict(told)
                _show(waiting, told)
    except KeyboardInterrupt:
        raise CliFailure(
            "stopped: nothing was started, and there is no new image",
            exit_code=ExitCode.INTERRUPTED,
            remedy="Steps that were finished stay in the engine's cache, so the next build goes on from there. To be "
            "rid of them: docker image prune. If another launch waits for the same image, its build goes on.",
        ) from None
    raise CliFailure("the daemon went away while it was building")


def _show(waiting: "Waiting", told: Mapping[str, Any]) -> None:
    if told.get("joined"):
        waiting.note(f"  Another launch has been building it for {told['seconds']:.0f} s; this one waits for it, too.")
    elif "downloaded" in told:
        waiting.detail = f"downloaded {told['downloaded'] / _MEGA:.0f} of {told['of'] / _MEGA:.0f} MB"
    elif "step" in told:
        what = str(told["text"]).partition(" : ")[2]
        waiting.detail = f"step {told['step']} of {told['steps']}"
        if what.startswith(_LONG_STEPS):
            waiting.note(f"  {told['step']}/{told['steps']} {what}"[:_SHOWN])
