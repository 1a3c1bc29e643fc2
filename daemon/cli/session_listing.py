"""What `aileron session list` and `show` write: which agents have, or had, a session."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.ids import short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, in_full
from daemon.cli.options import AllOption, JsonOption, LimitOption
from daemon.cli.rendering import one_line
from daemon.core.principal import in_words

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_MOST_LOOKS = 10
"""How many workspaces a list looks into: one with many changes takes a moment."""


def list_sessions(
    ctx: typer.Context,
    active: Annotated[bool, typer.Option("--active", help="Only those that have not ended.")] = False,
    limit: LimitOption = 50,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """List sessions, the newest first."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get_some("/v1/sessions", limit=None if everything else limit, active=active or None)
        if as_json:
            invocation.output.json(answer)
            return
        with invocation.output.progress("Looking at what was changed"):
            work = _work(client, [str(item["id"]) for item in answer["items"]])
    now = invocation.now()
    invocation.output.table(
        ["id", "kind", "label", "started", "work", "state"],
        [
            [
                short(item["id"]),
                item["kind"],
                item["label"],
                age(item["created_at"], now),
                work.get(item["id"]),
                _state(item),
            ]
            for item in answer["items"]
        ],
        fold="label",
        empty="There are no sessions.",
        styles={"active": "green"},
    )
    invocation.output.more(answer, "--all")


def _work(client: "ControlClient", sessions: Sequence[str]) -> dict[str, str]:
    """Say of each session with a workspace whether something in it waits for a decision."""
    if not sessions:
        return {}
    layers = client.get("/v1/workspaces")["items"]
    ended = {str(each["session"]) for each in layers if each["state"] == "ended"}
    said = {str(each["session"]): "kept" if each["state"] == "ended" else one_line(each["state"]) for each in layers}
    said |= {str(earlier): f"in {short(each['session'])}" for each in layers for earlier in each.get("earlier", ())}
    for session in islice((each for each in sessions if each in ended), _MOST_LOOKS):
        said[session] = _waiting(client, session)
    return said


def _waiting(client: "ControlClient", session: str) -> str:
    try:
        seen = client.get_patiently("/v1/workspaces/{}/changes", session, summary=False, unseen=True)
    except CliFailure:
        return "kept"
    if seen["changes"]:
        return f"{len(seen['changes']):,} to land"
    return "commits" if seen["may_have_commits"] else "landed"


def show_session(invocation: Invocation, item: dict[str, Any], *, workspace: Mapping[str, Any] | None = None) -> None:
    """Write one session, with the state of its workspace if it has one."""
    if invocation.as_json:
        invocation.output.json(item if workspace is None else item | {"workspace": workspace})
        return
    now = invocation.now()
    fields = [
        ("id", item["id"]),
        ("kind", item["kind"]),
        ("label", item["label"]),
        ("state", _state(item)),
        ("started", in_full(item["created_at"], now)),
    ]
    if item["opened_by"]:
        fields.append(("opened by", in_words(item["opened_by"], item["opened_with"])))
    if item.get("ended_at"):
        fields.append(("ended", in_full(item["ended_at"], now)))
    else:
        fields.append(("expires", in_full(item["expires_at"], now)))
    if item.get("capabilities"):
        fields.append(("may", item["capabilities"]))
    if workspace is not None:
        fields += [("workspace", workspace["folder"]), ("its layer", workspace["state"])]
        if workspace["session"] != item["id"]:
            fields.append(("went on as", workspace["session"]))
        fields += [("last landing", said) for said in last_landing(workspace, now)]
    invocation.output.fields(fields)


def last_landing(workspace: Mapping[str, Any], now: datetime) -> list[str]:
    """Return what became of the last landing of a workspace, and whether one is going on; nothing for none."""
    if workspace.get("landing_now"):
        return ["it is going on at this moment; the daemon carries it to its end"]
    last = workspace.get("last_landing")
    return [f"{one_line(last['said'])} on {in_full(last['at'], now)}"] if last else []


def _state(item: dict[str, Any]) -> str:
    if not item.get("ended_at"):
        return "active"
    return f"ended: {item['end_reason']}" if item.get("end_reason") else "ended"
