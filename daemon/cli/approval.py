"""`aileron approval`: what agents ask for, and a person's decision."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.options import JsonOption, LimitOption, ReasonOption
from daemon.cli.rendering import neutralise, one_line, pretty_json

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and decide what waits for your approval.",
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of the approval, apr_...")]
STATES = "pending, approved, denied, expired, void, running, completed, failed, unknown"
_STYLES = {
    "pending": "yellow",
    "approved": "green",
    "completed": "green",
    "denied": "red",
    "failed": "red",
    "unknown": "bold red",
    "expired": "dim",
    "void": "dim",
}


@app.command("list")
def list_approvals(
    ctx: typer.Context,
    state: Annotated[str, typer.Option("--state", help=f"Only these: all, {STATES}.")] = "pending",
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List what waits for your decision, or was decided."""
    invocation = Invocation.of(ctx, as_json=as_json)
    if state not in ("all", *STATES.split(", ")):
        raise CliFailure.usage(f"{state!r} is not a state of an approval", remedy=f"Write one of: all, {STATES}")
    with invocation.connect() as client:
        answer = client.get("/v1/approvals", state=None if state == "all" else state, limit=limit)
    if as_json:
        invocation.output.json(answer)
        return
    now = invocation.now()
    invocation.output.table(
        ["id", "state", "action", "session", "asked", "time left"],
        [
            [
                item["id"],
                item["state"],
                item["action"],
                item["session"],
                age(item["created_at"], now),
                time_left(item["expires_at"], now) if item["state"] == "pending" else "-",
            ]
            for item in answer["items"]
        ],
        empty="Nothing waits for your approval." if state == "pending" else "There are none.",
        styles=_STYLES,
    )


@app.command()
def show(ctx: typer.Context, approval_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show exactly what would run.

    Who asks, every argument, and what the service itself says about it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/approvals/{}", approval_id)
        if as_json:
            invocation.output.json(item)
            return
        show_request(invocation, client, item)
    if item["state"] == "pending":
        invocation.output.note(
            f"\nDecide with: aileron approval approve {one_line(item['id'])}\n"
            f"         or: aileron approval deny {one_line(item['id'])} --reason WHY",
            style="yellow",
        )


def show_request(invocation: Invocation, client: "ControlClient", item: dict[str, Any]) -> None:
    """Write everything a person needs to decide; all of it may come from a hostile agent, so all of it is escaped."""
    output, now = invocation.output, invocation.now()
    fields: list[tuple[str, Any]] = [
        ("approval", item["id"]),
        ("action", f"{item['action']} {item['action_version']}"),
        ("asked by", f"{item['actor']}, session {item['session']}, {age(item['created_at'], now)}"),
        ("state", item["state"]),
    ]
    if item["state"] == "pending":
        fields.append(("time left", time_left(item["expires_at"], now)))
    if item.get("decided_at"):
        reason = f": {item['decision_reason']}" if item.get("decision_reason") else ""
        fields.append(("decided", f"by {item['decided_by']}, {age(item['decided_at'], now)}{reason}"))
    fields += [("connector", _connector_name(client, ref)) for ref in item.get("connectors", [])]
    fields.append(("digest", item["digest"]))
    output.fields(fields)
    output.line()
    output.heading("Arguments")
    output.line(pretty_json(item["arguments"]))
    _show_preview(invocation, client, item)
    if item.get("outcome"):
        output.line()
        output.heading("Outcome")
        output.line(pretty_json(item["outcome"]))


def _connector_name(client: "ControlClient", ref: Any) -> str:
    """Name a connector that is known by its hash; one that is gone is still known by that."""
    if not isinstance(ref, str):
        return one_line(ref)
    try:
        shown = client.get("/v1/connectors/show", ref=ref)
    except CliFailure:
        return ref
    return f"{shown['name']}@{shown['version']} ({ref})"


def _show_preview(invocation: Invocation, client: "ControlClient", item: dict[str, Any]) -> None:
    if item["state"] != "pending":
        return
    output = invocation.output
    try:
        with output.progress("Asking the service for a preview"):
            preview = client.get("/v1/approvals/{}/preview", str(item["id"]))
    except CliFailure as failure:
        preview = {"available": False, "fields": [], "message": failure.message}
    if not preview["available"]:
        if preview.get("message"):
            output.line()
            output.line(f"No preview: {neutralise(preview['message'])}", style="dim")
        return
    output.line()
    output.heading("What the service says about it")
    for field in preview["fields"]:
        value = field["value"]
        if field.get("multiline") and isinstance(value, str):
            output.line(f"{neutralise(field['label'])}:")
            for line in neutralise(value, multiline=True).split("\n"):
                output.line(f"  | {line}")
        else:
            output.fields([(one_line(field["label"]), value)])


@app.command()
def approve(ctx: typer.Context, approval_id: IdArgument, reason: ReasonOption = None) -> None:
    """Let exactly this call run, once."""
    _decide(Invocation.of(ctx), approval_id, "approve", reason)


@app.command()
def deny(ctx: typer.Context, approval_id: IdArgument, reason: ReasonOption = None) -> None:
    """Refuse this call, or withdraw your approval of it.

    The agent is told, with your reason. A call that has started cannot be withdrawn any more.
    """
    _decide(Invocation.of(ctx), approval_id, "deny", reason)


def _decide(invocation: Invocation, approval_id: str, decision: str, reason: str | None) -> None:
    body = {} if reason is None else {"reason": reason}
    with invocation.connect() as client:
        item = client.post(f"/v1/approvals/{{}}/{decision}", approval_id, body=body)
    done = "Approved" if decision == "approve" else "Withdrawn" if item.get("withdrawn") else "Denied"
    invocation.output.line(f"{done}: {one_line(item['action'])} ({one_line(item['id'])}).")
    if decision == "approve":
        invocation.output.note(f"See what became of it: aileron approval show {one_line(item['id'])}", style="dim")


@app.command()
def watch(ctx: typer.Context) -> None:
    """Follow requests as they come.

    On a terminal, each can be decided with a key. Ctrl-C ends it.
    """
    from daemon.cli.approval_watch import ApprovalWatch

    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        ApprovalWatch(invocation=invocation, client=client).run()
