"""Ends the session of a launch, sums it up, and writes the last line."""

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.ids import short

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_COUNTED = 10_000
_SHOWN = 12
"""How much of the log's head a line shows; `--json` and `aileron audit head` have all of it."""


def end_session(client: "ControlClient", session: str, *, reason: str = "the agent ended") -> dict[str, Any]:
    """End the session and sum it up; a daemon that is gone ends it by itself when it is back."""
    summary: dict[str, Any] = {"session": session, "ran": None, "approvals": None, "audit_head": None}
    with contextlib.suppress(CliFailure):
        client.post("/v1/sessions/{}/end", session, body={"reason": reason, "by": "launcher"})

        def count(kind: str) -> int:
            return len(client.get("/v1/audit", session=session, type=kind, limit=_COUNTED)["items"])

        head = client.get("/v1/audit/head")
        summary |= {
            "ran": count("execution.started"),
            "approvals": count("approval.requested"),
            "audit_head": {"seq": head["seq"], "hash": head["hash"]},
        }
    return summary


def close(invocation: "Invocation", summary: Mapping[str, Any]) -> None:
    """Write what happened: one line, or one JSON object."""
    if invocation.as_json:
        invocation.output.note(json.dumps(summary))
        return
    if summary["audit_head"] is None:
        invocation.output.note(
            f"Session {short(summary['session'])}: the daemon is gone; look with: aileron session list"
        )
        return
    head = summary["audit_head"]
    invocation.output.note(
        f"Session {short(summary['session'])} ended: {_counted(summary['ran'], 'action')} run, "
        f"{_counted(summary['approvals'], 'approval')} asked for; audit head {head['seq']} {head['hash'][:_SHOWN]}…",
        style="dim",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
