"""`aileron action run`: run an action from the terminal, and wait for the approval it may need."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.moments import seconds_of
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line, pretty_json

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_POLL_SECONDS = 30.0
_UNDECIDED = frozenset({"pending", "approved", "running"})

WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until a person has decided and the action has run.")]
TimeoutOption = Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long to wait, such as 90s or 10m.")]


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The action's name.", autocompletion=known.actions)],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Arguments, typed as the action declares them.")
    ] = None,
    args_json: Annotated[
        str | None, typer.Option("--args-json", metavar="JSON", help="All arguments: JSON, @FILE, or - for stdin.")
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = "10m",
    as_json: JsonOption = False,
) -> None:
    """Run an action and print its result.

    If a person must approve it first, says so and ends with exit code 75, or waits with --wait.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    seconds = seconds_of(timeout, option="--timeout")
    from daemon.cli.arguments import build_arguments

    with invocation.connect() as client:
        action = client.get("/v1/actions/{}", name)
        if action["state"] == "broken":  # what else keeps it from running, the daemon says with its class
            raise _broken(action["problems"][0])
        values = build_arguments(arguments or [], args_json=args_json, inputs=action["inputs"])
        try:
            with invocation.output.progress(f"Running {one_line(name)}"):
                answer = client.post("/v1/actions/{}/run", name, body={"arguments": values}, patient=True)
        except KeyboardInterrupt:
            invocation.output.note(
                f"\nInterrupted here; the daemon may still be running it: aileron audit list --action {one_line(name)}"
            )
            raise
        if "approval_id" not in answer:
            _show_result(invocation, answer)
        elif wait:
            _announce(invocation, answer)
            _wait(invocation, client, str(answer["approval_id"]), seconds)
        else:
            if as_json:
                invocation.output.json(answer)
            else:
                _announce(invocation, answer)
            raise typer.Exit(ExitCode.WAITING)


def _broken(problem: Mapping[str, Any]) -> CliFailure:
    """Say what is wrong with an action's file, before anything is said about arguments that it could not declare."""
    place = one_line(problem["file"]) + (f":{problem['line']}" if problem["line"] else "")
    return CliFailure(
        f"{place}: {one_line(problem['problem'])}",
        remedy=one_line(problem["remedy"]),
        failure_class="invalid_arguments",
        boundary="action",
    )


def result(
    ctx: typer.Context,
    approval: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id of the approval, or the end of it.", autocompletion=known.approvals),
    ],
    wait: WaitOption = False,
    timeout: TimeoutOption = "10m",
    as_json: JsonOption = False,
) -> None:
    """Print what became of a run that needed an approval.

    Exit code 75 while it still waits.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    seconds = seconds_of(timeout, option="--timeout") if wait else 0.0
    from daemon.cli.ids import find_approval

    with invocation.connect() as client:
        _wait(invocation, client, find_approval(client, approval), seconds)


def _wait(invocation: Invocation, client: "ControlClient", approval: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    shown = one_line(approval)
    come_back = f"aileron action result {shown} --wait"
    try:
        with invocation.output.progress(f"Waiting for the decision on {shown}"):
            while True:
                poll = min(_POLL_SECONDS, max(0.0, deadline - time.monotonic()))
                answer = client.get("/v1/action-approvals/{}/result", approval, wait=round(poll, 3))
                if answer["status"] not in _UNDECIDED or time.monotonic() >= deadline:
                    break
    except KeyboardInterrupt:
        invocation.output.note(f"\nNo longer waiting; the request stays open. To come back: {come_back}")
        raise
    if answer["status"] == "completed":
        _show_result(invocation, answer)
    elif answer["status"] in _UNDECIDED:
        if invocation.as_json:
            invocation.output.json(answer)
        invocation.output.note(neutralise(f"{answer.get('message') or answer['status']}"))
        invocation.output.note(f"To come back: {come_back}", style="dim")
        raise typer.Exit(ExitCode.WAITING)
    else:
        raise CliFailure.from_error(_error(answer))


def _error(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope's error of a run that came to nothing; its status is the class where it has none."""
    if isinstance(answer.get("error"), dict):
        return dict(answer["error"])
    classes = {"denied": "approval_denied", "expired": "approval_expired", "void": "approval_void"}
    return {
        "class": classes.get(
            answer["status"], "outcome_unknown" if answer["status"] == "unknown" else "internal_error"
        ),
        "message": answer.get("message") or f"the run is {answer['status']}",
        "audit_id": answer.get("audit_id"),
    }


def _show_result(invocation: Invocation, answer: dict[str, Any]) -> None:
    if invocation.as_json:
        invocation.output.json(answer)
        return
    invocation.output.line(pretty_json(answer.get("result")))
    if answer.get("audit_id"):
        invocation.output.note(f"audit id {one_line(answer['audit_id'])}", style="dim")


def _announce(invocation: Invocation, answer: dict[str, Any]) -> None:
    approval = one_line(answer["approval_id"])
    output = invocation.output
    output.note("Waiting for a person's approval; nothing has run yet.", style="yellow")
    for label, text in (
        ("approval", approval),
        ("review it", one_line(answer["review_url"])),
        ("in browser", f"aileron open approval {approval}"),
        ("here", f"aileron approval show {approval}"),
        ("result", f"aileron action result {approval} --wait"),
    ):
        output.note(f"  {label:<10}  {text}")
