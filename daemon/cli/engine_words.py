"""What the Docker engine is good for, in words: `sandbox check` and `doctor` say the same."""

from typing import Any

from daemon.cli.rendering import one_line

PODMAN = "this is Podman behind Docker's socket"
NO_PODMAN = "Sandboxes need a Docker engine."


def in_words(engine: dict[str, Any]) -> list[str]:
    """Return what is to be known of an engine that sandboxes run in."""
    lines = [f"Docker Engine {one_line(engine['version'])} on {one_line(engine['system'])}: good."]
    if engine["desktop"] or engine["rootless"]:
        kind = "runs in a machine of its own" if engine["desktop"] else "is rootless"
        lines.append(f"It {kind}, so a forwarder carries what an agent says to the daemon.")
    if engine["without_limits"]:
        lines.append(f"It does not limit what a container uses of: {', '.join(engine['without_limits'])}.")
    return lines
