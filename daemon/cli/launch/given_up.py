"""Ends a launch that was given up with Ctrl-C while its sandbox started, and says what had begun by then."""

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.ids import short
from daemon.cli.launch.closing import end_session

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_NEWEST = 20
_LOOKS = 100
_PAUSE_SECONDS = 0.2


def given_up(client: "ControlClient") -> CliFailure:
    """End what the daemon began for this process; return how the command ends.

    The request to start goes on in the daemon without this command, so the agent may have been started meanwhile.
    """
    session, began = None, True
    with suppress(CliFailure):
        session = _own_session(client)
        if session is not None:
            end_session(client, session, reason="the launch was given up")
            _wait_for_its_end(client, session)
            began = bool(client.get("/v1/audit", session=session, type="sandbox.started", limit=1)["items"])
        else:
            began = False
    if not began:
        return _failure("stopped: no agent was started, and your folder is as it was", "Nothing of it is left.")
    if session is None:
        return _failure("stopped: the daemon ends what it had begun", "See what became of it: aileron session list")
    name = short(session)
    return _failure(
        "stopped: the agent had just been started, and was ended",
        f"What it did: aileron audit list --session {name}. What it changed: aileron session diff {name}",
    )


def _failure(message: str, remedy: str) -> CliFailure:
    return CliFailure(message, exit_code=ExitCode.INTERRUPTED, remedy=remedy)


def _own_session(client: "ControlClient") -> str | None:
    sessions: list[dict[str, Any]] = client.get("/v1/sessions", limit=_NEWEST)["items"]
    own = (each for each in sessions if each["kind"] == "sandbox" and each["owner_pid"] == os.getpid())
    return next((str(each["id"]) for each in own), None)


def _wait_for_its_end(client: "ControlClient", session: str) -> None:
    for _ in range(_LOOKS):
        if all(each["id"] != session for each in client.get("/v1/sandboxes")["items"]):
            return
        time.sleep(_PAUSE_SECONDS)
