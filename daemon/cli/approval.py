"""`aileron approval`: what agents ask for, and a person's decision."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.approval_shown import show_request
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.ids import find_approval, short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.options import AllOption, JsonOption, LimitOption, ReasonOption, YesOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and decide what waits for your approval.",
)

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The id of the approval, or any part of it.", autocompletion=known.approvals)
]
STATES = "pending, approved, denied, expired, void, running, completed, failed, unknown"
_WAIT_SECONDS = 3
"""So long an approved call is waited for, to say what became of it."""
_CAME_TO_NOTHING = {
    "failed": "It ran and failed",
    "unknown": "It was interrupted, and nobody knows whether it took effect",
    "void": "It was not run",
    "expired": "It was not run",
}
_NONE_PENDING = "Nothing waits for your approval. What was decided: aileron approval list --state all"
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
    state: Annotated[str, typer.Option("--state", metavar="STATE", help=f"Only these: all, {STATES}.")] = "pending",
    limit: LimitOption = 50,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """List what waits for your decision, or was decided."""
    invocation = Invocation.of(ctx, as_json=as_json)
    if state not in ("all", *STATES.split(", ")):
        raise CliFailure.usage(f"{state!r} is not a state of an approval", remedy=f"Write one of: all, {STATES}")
    with invocation.connect() as client:
        wanted = {"state": None if state == "all" else state}
        answer = client.get_some("/v1/approvals", limit=None if everything else limit, **wanted)
        if as_json:
            invocation.output.json(answer)
            return
        sessions = client.get("/v1/sessions", limit=1000)["items"] if answer["items"] else []
        _write_list(invocation, answer, sessions, state)
        if state == "pending":
            from daemon.cli.question import note_questions

            note_questions(invocation, client)


def _write_list(invocation: Invocation, answer: Mapping[str, Any], sessions: list[dict[str, Any]], state: str) -> None:
    labels = {item["id"]: item["label"] for item in sessions}
    now = invocation.now()
    invocation.output.table(
        ["id", "state", "action", "session", "asked", "time left"],
        [
            [
                short(item["id"]),
                item["state"],
                item["action"],
                labels.get(item["session"]) or short(item["session"]),
                age(item["created_at"], now),
                time_left(item["expires_at"], now) if item["state"] == "pending" else "-",
            ]
            for item in answer["items"]
        ],
        fold="session",
        empty=_NONE_PENDING if state == "pending" else "There are none.",
        styles=_STYLES,
    )
    invocation.output.more(answer, "--all")


@app.command()
def show(ctx: typer.Context, approval_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show exactly what would run.

    Every step with its inputs as they will be sent, who asks, and what the service itself says about it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/approvals/{}", find_approval(client, approval_id))
        if as_json:
            invocation.output.json(item)
            return
        approvable = show_request(invocation, client, item)
    if item["state"] == "pending":
        approve_line = f"aileron approval approve {one_line(item['id'])}\n         or: " if approvable else ""
        invocation.output.note(
            f"\nDecide with: {approve_line}aileron approval deny {one_line(item['id'])} --reason WHY", style="yellow"
        )


@app.command()
def approve(
    ctx: typer.Context,
    approval_id: IdArgument,
    reason: ReasonOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let exactly this call run, once.

    On a terminal it is shown first, and you are asked; Enter alone means no.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if not yes and invocation.prompts.interactive:
        invocation.need_yes_with_json(yes=yes)
        _look_first(invocation, approval_id)
    _decide(invocation, approval_id, "approve", reason)


def _look_first(invocation: Invocation, approval_id: str) -> None:
    with invocation.connect() as client:
        item = client.get("/v1/approvals/{}", find_approval(client, approval_id))
        if item["state"] != "pending":
            return  # the daemon says why it can no longer be decided
        if not show_request(invocation, client, item):
            raise CliFailure(
                "this request cannot be shown in full, so it was not approved",
                remedy=f"Deny it with: aileron approval deny {one_line(item['id'])}",
                failure_class="approval_void",
            )
    invocation.output.line()
    invocation.prompts.confirm("Approve exactly this, once?", yes=False)


@app.command()
def deny(ctx: typer.Context, approval_id: IdArgument, reason: ReasonOption = None, as_json: JsonOption = False) -> None:
    """Refuse this call, or withdraw your approval of it.

    The agent is told, with your reason. A call that has started cannot be withdrawn any more.
    """
    _decide(Invocation.of(ctx, as_json=as_json), approval_id, "deny", reason)


def _decide(invocation: Invocation, approval_id: str, decision: str, reason: str | None) -> None:
    body = {} if reason is None else {"reason": reason}
    with invocation.connect() as client:
        found = find_approval(client, approval_id)
        item = client.post(f"/v1/approvals/{{}}/{decision}", found, body=body)
        if invocation.as_json:
            _answer_in_json(invocation, client, item, approved=decision == "approve")
            return
        done = "Approved" if decision == "approve" else "Withdrawn" if item.get("withdrawn") else "Denied"
        invocation.output.line(f"{done}: {one_line(item['action'])} ({one_line(item['id'])}).")
        if decision == "approve":
            _tell_what_became(invocation, client.get("/v1/action-approvals/{}/result", found, wait=_WAIT_SECONDS))


def _answer_in_json(
    invocation: Invocation, client: "ControlClient", item: Mapping[str, Any], *, approved: bool
) -> None:
    result = client.get("/v1/action-approvals/{}/result", item["id"], wait=_WAIT_SECONDS) if approved else None
    invocation.output.json({**item, "result": result})
    if result is not None and result["status"] in _CAME_TO_NOTHING:
        raise typer.Exit(ExitCode.FAILED)


def _tell_what_became(invocation: Invocation, result: Mapping[str, Any]) -> None:
    """Say whether the call has run by now; raise the failure of one that came to nothing."""
    status, error = str(result["status"]), result.get("error") or {}
    see = f"See what becomes of it: aileron approval show {short(str(result['approval_id']))}"
    if status == "completed":
        invocation.output.line("It has run.")
    elif status in _CAME_TO_NOTHING:
        raise CliFailure(
            f"{_CAME_TO_NOTHING[status]}: {one_line(error.get('message', result['message']))}",
            remedy=see.replace("becomes", "became"),
            failure_class=str(error.get("class", "approval_void")),
        )
    else:
        invocation.output.note(f"{one_line(result['message'])} {see}", style="dim")


@app.command()
def watch(ctx: typer.Context) -> None:
    """Follow requests as they come.

    On a terminal, each can be decided by a word. Ctrl-C ends it.
    """
    from daemon.cli.approval_watch import ApprovalWatch

    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        ApprovalWatch(invocation=invocation, client=client).run()
