"""`aileron audit`: reading the log of everything that was asked, decided and done, and proving it whole."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.ids import find_any_session, find_event, short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import bound, in_list
from daemon.cli.options import JsonOption, LimitOption
from daemon.cli.output_file import OutputFile, OutputOption
from daemon.cli.rendering import neutralise, one_line, plain_table, pretty_json
from daemon.core.principal import MEANS_KEY, in_words

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Read and verify the audit log."
)

SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From here on: 15m, 1h, 7d or a time.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to here: 15m, 1h, 7d or a time.")]
SessionOption = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Only this session.", autocompletion=known.sessions)
]
TypeOption = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only this type, such as execution.started or approval.*")
]
ActionOption = Annotated[
    str | None,
    typer.Option(
        "--action", metavar="NAME", help="Only this action, or this server__tool.", autocompletion=known.actions
    ),
]
ConnectorOption = Annotated[
    str | None,
    typer.Option("--connector", metavar="NAME", help="Only this connector.", autocompletion=known.connectors),
]
ClassOption = Annotated[str | None, typer.Option("--class", metavar="CLASS", help="Only failures of this class.")]

_FOLLOW_SECONDS = 1.0
_COLUMNS = ["time", "type", "action", "who", "failure", "id"]
_PAGE = 1000


@app.command("list")
def list_events(
    ctx: typer.Context,
    since: SinceOption = None,
    until: UntilOption = None,
    session: SessionOption = None,
    type_: TypeOption = None,
    action: ActionOption = None,
    connector: ConnectorOption = None,
    failure_class: ClassOption = None,
    limit: LimitOption = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events as they come.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the newest events, the latest last."""
    invocation = Invocation.of(ctx, as_json=as_json)
    filters = _filters(invocation, since, until, session, type_, action, connector, failure_class)
    with invocation.connect() as client:
        filters["session"] = _session(client, session)
        # Where to go on from is read first: an event that comes in between is then shown by the list or after it.
        answer = client.get_some("/v1/audit", limit=limit, newest_first=True, **filters)
        events = list(reversed(answer["items"]))
        if as_json and not follow:
            invocation.output.json({**answer, "items": events})
            return
        _show_events(invocation, events, header=True)
        if not invocation.as_json:
            invocation.output.more(answer, "--limit, or aileron audit export")
        if follow:
            start = events[-1]["seq"] if events else client.get("/v1/audit/head")["seq"]
            _follow(invocation, client, start, filters)


def _filters(
    invocation: Invocation,
    since: str | None,
    until: str | None,
    session: str | None,
    type_: str | None,
    action: str | None,
    connector: str | None,
    failure_class: str | None,
) -> dict[str, str | None]:
    now = invocation.now()
    return {
        "since": bound(since, option="--since", now=now),
        "until": bound(until, option="--until", now=now),
        "session": session,
        "type": type_,
        "action": action,
        "connector": connector,
        "failure_class": failure_class,
    }


def _session(client: "ControlClient", given: str | None) -> str | None:
    """Return the id of the session that is meant; one that the log alone still knows is written out."""
    return None if given is None else find_any_session(client, given)


def _follow(invocation: Invocation, client: "ControlClient", seq: int, filters: dict[str, str | None]) -> None:
    while True:
        events = client.get("/v1/audit", after_seq=seq, limit=_PAGE, **filters)["items"]
        if events:
            seq = events[-1]["seq"]
            _show_events(invocation, events, header=False)
        else:
            time.sleep(_FOLLOW_SECONDS)


def _show_events(invocation: Invocation, events: list[dict[str, Any]], *, header: bool) -> None:
    if invocation.as_json:
        import json

        for event in events:
            invocation.output.line(json.dumps(event))
        return
    now = invocation.now()
    rows = [
        [
            in_list(event["time"], now),
            event["type"],
            event["action"],
            _who(event),
            event["failure_class"],
            short(event["id"]),
        ]
        for event in events
    ]
    if header:
        styles = {str(event["failure_class"]): "red" for event in events if event["failure_class"]}
        invocation.output.table(_COLUMNS, rows, fold="who", empty="No event fits.", styles=styles)
        return
    for line in plain_table(_COLUMNS, [[one_line(value) for value in row] for row in rows])[1:]:
        invocation.output.line(line)


def _who(event: Mapping[str, Any]) -> str:
    return in_words(event["actor"], event["payload"].get(MEANS_KEY))


@app.command()
def show(
    ctx: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the event, or any part of it.")],
    as_json: JsonOption = False,
) -> None:
    """Show one event with everything it recorded."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        event = client.get("/v1/audit/{}", find_event(client, event_id))
    if as_json:
        invocation.output.json(event)
        return
    fields = [(name, value) for name, value in event.items() if name not in ("payload", "attachments")]
    invocation.output.fields([*fields, ("who", _who(event))])
    invocation.output.line()
    invocation.output.heading("Payload")
    invocation.output.line(pretty_json(event["payload"]))
    for name, value in event.get("attachments", {}).items():
        invocation.output.line()
        invocation.output.heading(f"Attachment: {name}")
        gone = "Its file was removed or changed. The digest in the payload still says what it was."
        invocation.output.line(gone if value is None else pretty_json(value))


@app.command()
def verify(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="An export, which needs no daemon; else the log of this machine."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The public key that `audit key` wrote on the log's own machine."),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="The export is meant to hold a stretch of the log only.")
    ] = False,
    anchor: Annotated[
        Path | None, typer.Option("--anchor", metavar="FILE", help="A head that `audit head` wrote earlier.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every event, every link and every checkpoint.

    Prints each problem; exit code 1 if there is one. With the head of an earlier day as anchor, a log that was cut
    short or written anew since then is found, too.

    With FILE, checks what `audit export` wrote, on any machine. Without --key that says only that the file fits
    itself, because anybody can write an export anew with a key of their own.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if file is not None:
        from daemon.cli.audit_export import verify_file

        head = None if anchor is None else _read_anchor(anchor)
        verify_file(invocation, file, key=key, anchor=head, part=part)
        return
    if key is not None or part:
        raise CliFailure.usage("--key and --part are for an export", remedy="Name the file: aileron audit verify FILE")
    body = {} if anchor is None else {"anchor": _read_anchor(anchor)}
    with invocation.connect() as client, invocation.output.progress("Verifying the audit log"):
        answer = client.post("/v1/audit/verify", body=body, patient=True)
    if as_json:
        invocation.output.json(answer)
    else:
        _show_report(invocation, answer, anchored=anchor is not None)
    if not answer["ok"]:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def resume(
    ctx: typer.Context,
    because: Annotated[str, typer.Option("--because", metavar="REASON", help="Why; it is written into the log.")],
    as_json: JsonOption = False,
) -> None:
    """Go on with a damaged log.

    A log that is damaged takes no event, so nothing runs. This writes down what was found and why you go on, behind
    everything the log has or had. What is damaged stays as it is, and `audit verify` names it for ever. Before this,
    keep a copy of the home, and find out who did it.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if not because.strip():
        raise CliFailure.usage("--because is empty", remedy="Say in a few words why you go on with this log.")
    with invocation.connect() as client:
        answer = client.post("/v1/audit/resume", body={"because": because})
    if as_json:
        invocation.output.json(answer)
        return
    which = f"event {answer['seq']} ({one_line(answer['event_id'])})"
    invocation.output.line(f"The log goes on with {which}. Runs are possible again.")
    invocation.output.note("What is in front of it stays damaged: aileron audit verify", style="dim")


def _show_report(invocation: Invocation, answer: dict[str, Any], *, anchored: bool) -> None:
    output = invocation.output
    for problem in answer["problems"]:
        output.line(f"{one_line(problem['kind'])}: {_what(problem)}", style="red")
    events, seconds = answer["events"], answer["seconds"]
    if answer["ok"]:
        output.line(f"The log is whole: {events} events checked in {seconds:.2f} s.", style="green")
        head = answer.get("head") or {}
        if head:
            output.fields([("head", head["hash"]), ("at event", str(head["seq"]))])
        if not anchored:
            output.note("To find a log that was cut short, keep a head elsewhere: aileron audit head", style="dim")
    else:
        count = len(answer["problems"])
        found = "1 problem" if count == 1 else f"{count} problems"
        output.line(f"The log is NOT whole: {found} in {events} events.", style="bold red")
        if all(problem.get("known") for problem in answer["problems"]):
            output.note(
                f"All of it is known since event {answer['resumed']}; what came after that is whole.", style="dim"
            )
        else:
            output.note("Keep a copy of the home before anything else: it is the evidence. Nothing runs with this log.")
            output.note("Bring back a home that is whole, or go on: aileron audit resume --because REASON")
    for stretch in answer.get("unvouched", ()):
        where = f"Events {stretch['first']} to {stretch['last']}"
        output.note(f"{where} were found after a power loss: nobody can vouch for them.", style="yellow")


def _what(problem: dict[str, Any]) -> str:
    """Return the message, which says the place, with the event's id where it leaves that out."""
    message, event_id = one_line(problem["message"]), problem["event_id"]
    return message if event_id is None or event_id in message else f"{message} ({one_line(event_id)})"


def _read_anchor(path: Path) -> dict[str, Any]:
    import json

    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliFailure.usage(f"{path} cannot be read: {error.strerror}", remedy="Pass a readable file.") from error
    except ValueError:
        head = None
    if not isinstance(head, dict):
        raise CliFailure.usage(f"{path} does not hold a head", remedy="Pass a file that `aileron audit head` wrote.")
    return head


@app.command()
def export(
    ctx: typer.Context,
    since: SinceOption = None,
    until: UntilOption = None,
    session: SessionOption = None,
    type_: TypeOption = None,
    action: ActionOption = None,
    connector: ConnectorOption = None,
    failure_class: ClassOption = None,
    output: OutputOption = None,
) -> None:
    """Write all events that fit, the oldest first, as JSON Lines.

    Anybody can verify the file elsewhere with the log's public key: aileron audit verify FILE --key KEY.
    """
    invocation = Invocation.of(ctx)
    filters = _filters(invocation, since, until, session, type_, action, connector, failure_class)
    # A spinner in between lines that go to the same terminal would only garble them.
    progress = nullcontext() if output is None else invocation.output.progress("Exporting")
    with invocation.connect() as client, OutputFile(output, stdout=invocation.output) as file, progress:
        filters["session"] = _session(client, session)
        count = 0
        for line in client.lines("/v1/audit/export", **filters):
            if line:
                file.write(neutralise(line) + "\n")
                count += not line.startswith('{"type":"export.')
    if output is not None:
        invocation.output.note(f"{count} events written to {output}.")


@app.command()
def key(ctx: typer.Context, output: OutputOption = None, as_json: JsonOption = False) -> None:
    """Print the public key that the log is signed with.

    Hand it to whoever verifies an export, by another way than the export itself.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/audit/key")
    with OutputFile(output, stdout=invocation.output) as file:
        file.write(pretty_json(answer) + "\n" if as_json else neutralise(answer["public_key"], multiline=True))
    if output is not None:
        invocation.output.note(f"The public key {one_line(answer['key_id'])} is written to {output}.")


@app.command()
def head(ctx: typer.Context, output: OutputOption = None) -> None:
    """Print the signed head of the log.

    Keep it where this machine cannot change it: a log that is cut short later is then found out.
    """
    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        answer = client.get("/v1/audit/head")
    with OutputFile(output, stdout=invocation.output) as file:
        file.write(pretty_json(answer) + "\n")
    if output is not None:
        invocation.output.note(f"The head (event {one_line(answer['seq'])}) is written to {output}.")
