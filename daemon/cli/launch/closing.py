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
_LISTS = "/(list_"
"""Agents ask for the lists of what servers offer by themselves. They are in the log; they are nothing that was done."""
_SHOWN = 12
"""How much of the log's head a line shows; `--json` and `aileron audit head` have all of it."""


def end_session(client: "ControlClient", session: str, *, reason: str = "the agent ended") -> dict[str, Any]:
    """End the session and sum it up; a daemon that is gone ends it by itself when it is back."""
    summary: dict[str, Any] = {
        "session": session,
        "ran": None,
        "of_servers": None,
        "approvals": None,
        "audit_head": None,
    }
    with contextlib.suppress(CliFailure):
        client.post("/v1/sessions/{}/end", session, body={"reason": reason, "by": "launcher"})

        def events(kind: str) -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = client.get("/v1/audit", session=session, type=kind, limit=_COUNTED)["items"]
            return items

        head = client.get("/v1/audit/head")
        ran = [each for each in events("execution.started") if _LISTS not in (each["action"] or "")]
        summary |= {
            "ran": len(ran),
            "of_servers": sum(each["payload"].get("aileron.tool.kind") == "server" for each in ran),
            "approvals": len(events("approval.requested")),
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
    what = "call" if summary["of_servers"] else "action"
    invocation.output.note(
        f"Session {short(summary['session'])} ended: {_counted(summary['ran'], what)} run, "
        f"{_counted(summary['approvals'], 'approval')} asked for; audit head {head['seq']} {head['hash'][:_SHOWN]}…",
        style="dim",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
