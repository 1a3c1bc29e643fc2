"""`aileron sessions`: which agents have, or had, a session. `aileron session` has the same and more."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from daemon.cli.ids import find_any_session, short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.options import AllOption, JsonOption, LimitOption
from daemon.cli.rendering import one_line
from daemon.core.principal import in_words

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The same as `session list` and `session show`.",
)


@app.command("list")
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
    now = invocation.now()
    invocation.output.table(
        ["id", "kind", "label", "started", "state"],
        [
            [short(item["id"]), item["kind"], item["label"], age(item["created_at"], now), _state(item)]
            for item in answer["items"]
        ],
        fold="label",
        empty="There are no sessions.",
        styles={"active": "green"},
    )
    invocation.output.more(answer, "--all")


@app.command("get")
def show(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The id of the session, or the end of it.")],
    as_json: JsonOption = False,
) -> None:
    """Show one session."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/sessions/{}", find_any_session(client, session))
    show_session(invocation, item)


def show_session(invocation: Invocation, item: dict[str, Any], *, workspace: Mapping[str, Any] | None = None) -> None:
    """Write one session, with the state of its workspace if it has one."""
    if invocation.as_json:
        invocation.output.json(item if workspace is None else item | {"workspace": workspace})
        return
    fields = [
        ("id", item["id"]),
        ("kind", item["kind"]),
        ("label", item["label"]),
        ("state", _state(item)),
        ("started", item["created_at"]),
        ("expires", f"{item['expires_at']} (in {time_left(item['expires_at'], invocation.now())})"),
    ]
    if item["opened_by"]:
        fields.append(("opened by", in_words(item["opened_by"], item["opened_with"])))
    if item.get("ended_at"):
        fields.append(("ended", item["ended_at"]))
    if item.get("capabilities"):
        fields.append(("may", item["capabilities"]))
    if workspace is not None:
        fields += [("workspace", workspace["folder"]), ("its layer", workspace["state"])]
        fields += [("last landing", said) for said in last_landing(workspace)]
    invocation.output.fields(fields)


def last_landing(workspace: Mapping[str, Any]) -> list[str]:
    """Return what became of the last landing of a workspace, and whether one is going on; nothing for none."""
    if workspace.get("landing_now"):
        return ["it is going on at this moment; the daemon carries it to its end"]
    last = workspace.get("last_landing")
    return [f"{one_line(last['said'])} ({last['at']})"] if last else []


def _state(item: dict[str, Any]) -> str:
    if not item.get("ended_at"):
        return "active"
    return f"ended: {item['end_reason']}" if item.get("end_reason") else "ended"
