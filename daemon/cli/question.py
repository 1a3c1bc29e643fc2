"""`aileron question`: what servers ask while their tools run, where the agent cannot answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.ids import find_question, short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and answer what servers ask you.",
)

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The id of the question, or any part of it.", autocompletion=known.questions)
]
_STYLES = {"open": "yellow", "accepted": "green", "declined": "red", "expired": "dim", "ended": "dim"}


@app.command("list")
def list_questions(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what waits for your answer.

    What has ended is known for a while. A daemon that stops forgets its questions; the audit log has them.
    """
    from daemon.cli.question_shown import tools_of

    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get_some("/v1/questions", limit=None, state=None if everything else "open")
    if as_json:
        invocation.output.json(answer)
        return
    now = invocation.now()
    invocation.output.table(
        ["id", "state", "server", "tool", "asks", "asked", "time left"],
        [
            [
                short(item["id"]),
                item["state"],
                item["server"],
                tools_of(item),
                one_line(item["message"], limit=40),
                age(item["created_at"], now),
                time_left(item["expires_at"], now) if item["state"] == "open" else "-",
            ]
            for item in answer["items"]
        ],
        fold="asks",
        empty="There are none." if everything else "No server asks you anything.",
        styles=_STYLES,
    )


@app.command()
def show(ctx: typer.Context, question_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show which server asks, for which call, and every field.

    The words of the question are the server's own; hidden characters in them are written out.
    """
    from daemon.cli.question_shown import show_question

    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/questions/{}", find_question(client, question_id))
    if as_json:
        invocation.output.json(item)
        return
    show_question(invocation, item)
    if item["state"] == "open":
        invocation.output.note(f"\nAnswer with: aileron question answer {one_line(item['id'])}", style="yellow")


@app.command()
def answer(
    ctx: typer.Context,
    question_id: IdArgument,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="The value of a field. Repeat it for more, and for a list."),
    ] = None,
    values_file: Annotated[
        Path | None,
        typer.Option("--values-file", metavar="FILE", help="The values as a JSON object; from stdin for -."),
    ] = None,
    decline: Annotated[bool, typer.Option("--decline", help="Say no.")] = False,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="Say neither yes nor no.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer a question of a server, once.

    On a terminal the question is shown, and each field is asked for. What you answer goes to the server, which may tell
    the agent, and is not kept here. Everybody on this machine can read what stands in a command line: for what is
    private, use the terminal or --values-file.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if sum((bool(values), values_file is not None, decline, no_answer)) > 1:
        raise CliFailure.usage("use one of --set, --values-file, --decline and --no-answer")
    with invocation.connect() as client:
        item = client.get("/v1/questions/{}", find_question(client, question_id))
        if decline or no_answer:
            body: dict[str, Any] = {"action": "decline" if decline else "cancel"}
        else:
            body = {"action": "accept", **_accepted(invocation, item, values, values_file, yes=yes)}
        done = client.post("/v1/questions/{}/answer", str(item["id"]), body=body)
    invocation.answer(done, f"{done['stands']} {one_line(done['server'])} was told.")


def _accepted(
    invocation: Invocation, item: Mapping[str, Any], values: list[str] | None, file: Path | None, *, yes: bool
) -> dict[str, Any]:
    from daemon.cli.question_asking import ask_fields, from_file, from_options
    from daemon.cli.question_shown import show_question

    if values:
        return {"typed": from_options(values)}
    if file is not None:
        return {"content": from_file(invocation.prompts, file)}
    if item["state"] != "open":
        return {}  # the daemon says why it can no longer be answered
    if yes and not item["fields"]:
        return {}
    if invocation.as_json or (item["fields"] and not invocation.prompts.interactive):
        raise _needs_values(item["fields"] or ())
    show_question(invocation, item)
    invocation.output.line()
    given = ask_fields(invocation, item["fields"] or ())
    question = "Send this to the server?" if item["fields"] else "Tell the server that you agreed?"
    invocation.prompts.confirm(question, yes=yes)
    return {"typed": given} if given else {}


def _needs_values(fields: Sequence[Mapping[str, Any]]) -> CliFailure:
    if not fields:
        return CliFailure.usage(
            "with --json nothing is shown, so nobody can agree to it", remedy="Pass --yes, --decline or --no-answer."
        )
    names = ", ".join(one_line(each["name"]) for each in fields)
    return CliFailure.usage(
        f"this needs values, and nobody is asked for them here: {names}",
        remedy="Pass --set NAME=VALUE for each, --values-file FILE, --decline or --no-answer.",
    )


def note_questions(invocation: Invocation, client: "ControlClient") -> None:
    """Say below a list of approvals that servers ask something, too."""
    try:
        count = len(client.get("/v1/questions", state="open")["items"])
    except CliFailure:
        return  # a daemon of an older version has none; the list itself is what was asked for
    if count:
        asked = "One question of a server waits" if count == 1 else f"{count} questions of servers wait"
        invocation.output.note(f"{asked} for you, too: aileron question list", style="yellow")
