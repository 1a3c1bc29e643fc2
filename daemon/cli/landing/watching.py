"""`aileron session watch`: what changes in a workspace, as it changes."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.landing.mirror import Mirror, is_copied
from daemon.cli.landing.shown import shown_path
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_LEAST_PAUSE = 1.0
_SHARE = 4
"""A look that took a second is followed by a pause of four: watching must not become the work of the machine."""
_MARKS = {"added": "A", "modified": "M", "deleted": "D"}
_OPEN = "open"


def follow(invocation: "Invocation", client: "ControlClient", session: str, mirror: Path | None) -> None:
    """Print each path when it changes, until the session has ended and its last state was seen."""
    layer = client.get("/v1/workspaces/{}", session)
    copies = None
    if mirror is not None:
        copies = Mirror(mirror, session=session, workspace=str(layer["folder"]), home=invocation.home().path)

    def content(path: str) -> bytes:
        return client.post_for_bytes("/v1/workspaces/{}/file", session, body={"path": path})

    before: dict[str, Any] = {}
    told: set[str] = set()
    while True:
        # Asked before the look: what is changed until the end is then in the last look.
        is_open = client.get("/v1/workspaces/{}", session)["state"] == _OPEN
        began = time.monotonic()
        answer = client.get_patiently("/v1/workspaces/{}/changes", session, summary=False)
        now = {str(each["path"]): each for each in answer["changes"]}
        for line in differing(before, now):
            invocation.output.line(line)
        if copies is not None:
            for path in copies.update(now.values(), content):
                now.pop(path, None)  # look at it again next time
            _tell_left_out(invocation, now, told)
        if not is_open:
            break
        before = now
        time.sleep(max(_LEAST_PAUSE, _SHARE * (time.monotonic() - began)))
    invocation.output.note("The session has ended.", style="dim")


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a line for each path that is not as it was at the last look."""
    lines = [
        f"{_MARKS[each['act']]} {shown_path(each)}"
        for path, each in now.items()
        if path not in before or before[path]["agent"] != each["agent"]
    ]
    return lines + [f"= {one_line(each['shown'])}" for path, each in before.items() if path not in now]


def _tell_left_out(invocation: "Invocation", now: Mapping[str, Any], told: set[str]) -> None:
    """Say once of each file that it is not copied, because an editor or a shell could obey it."""
    for path, each in now.items():
        agent = each["agent"]
        if path not in told and agent is not None and agent["kind"] == "file" and not is_copied(each):
            told.add(path)
            why = each["refused"] or "; ".join(each["later"])
            invocation.output.note(f"{one_line(each['shown'])} is not copied: {one_line(why)}", style="dim")
