"""`aileron session`: the sessions of agents, and what they changed in their workspaces."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.ids import find_any_session
from daemon.cli.invocation import Invocation
from daemon.cli.landing.finding import as_named, find_session
from daemon.cli.options import JsonOption, ReasonOption, YesOption
from daemon.cli.rendering import one_line
from daemon.cli.session_listing import last_landing, list_sessions, show_session

if TYPE_CHECKING:
    from daemon.cli.landing.seen import Seen

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See sessions of agents, and decide what lands.",
)

SessionArgument = Annotated[
    str,
    typer.Argument(metavar="SESSION", help="The id of the session, or any part of it.", autocompletion=known.sessions),
]
PathsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="PATH", help="Files and folders, as the list of changes has them.")
]

app.command("list")(list_sessions)


@app.command()
def show(ctx: typer.Context, session: SessionArgument, as_json: JsonOption = False) -> None:
    """Show one session, and the state of its workspace."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        found = find_session(client, session, with_workspace=False)
        item = client.get("/v1/sessions/{}", found)
        # Asked by its id, because a session that another one resumed is answered with that one's workspace.
        workspace = None
        with suppress(CliFailure):
            workspace = client.get("/v1/workspaces/{}", found)
    show_session(invocation, item, workspace=workspace)


@app.command()
def end(ctx: typer.Context, session: SessionArgument, reason: ReasonOption = None, as_json: JsonOption = False) -> None:
    """End a session.

    Its token opens nothing any more, and what it asked for is void. A sandbox of this session ends with it; what its
    agent changed is kept.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        found = find_any_session(client, session)
        item = client.post(
            "/v1/sessions/{}/end", found, body={"by": "person"} | ({} if reason is None else {"reason": reason})
        )
    if as_json:
        invocation.output.json(item)
        return
    invocation.output.line(f"Ended: {one_line(item['label'])} ({one_line(item['id'])}).")


@app.command()
def diff(
    ctx: typer.Context,
    session: SessionArgument,
    paths: PathsArgument = None,
    stat: Annotated[
        bool, typer.Option("--stat", help="Only which files changed, and why some would not land.")
    ] = False,
    names: Annotated[bool, typer.Option("--name-only", help="Only the paths, one a line.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the agent changed.

    What would run later on this machine comes first, with why.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    paths = as_named(paths)
    if stat and names:
        raise CliFailure.usage("--stat and --name-only do not go together")
    from daemon.cli.landing.asking import page_difference
    from daemon.cli.landing.seen import Seen
    from daemon.cli.landing.shown import write_seen

    with invocation.connect() as client:
        found = find_session(client, session)
        # The list of paths needs no commits, which take a moment.
        seen = Seen.look(client, found, with_commits=None if stat or as_json else False).only(paths)
        if as_json:
            invocation.output.json({"changes": seen.changes, "commits": seen.commits})
        elif names:
            for each in seen.items:
                invocation.output.line(one_line(each["path"]))
        elif stat:
            write_seen(invocation.output.line, seen)
            invocation.output.line(seen.summary())
        elif seen.items:
            page_difference(invocation, client, seen, paths)
        if not seen.items and not as_json:
            invocation.output.note("Nothing differs from your folder.", style="dim")
        if seen.changes["may_have_commits"] and seen.commits is None and not names:
            invocation.output.note(f"There may be commits, too: aileron session diff {session} --stat", style="dim")


@app.command()
def land(
    ctx: typer.Context,
    session: SessionArgument,
    paths: PathsArgument = None,
    yes_to: Annotated[
        list[str] | None,
        typer.Option("--yes-to", metavar="PATH", help="Land this, too, although it would run later; may be repeated."),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="Everything as a branch of this name; - for a name of ours."),
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="Only files; leave commits where they are.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Land what the agent changed: all of it, or the paths you name.

    On a terminal it is shown first, and you are asked once, and of each file that would run later by itself. What you
    changed meanwhile stays as it is.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    paths, yes_to = as_named(paths) or None, as_named(yes_to)
    if branch is not None and (files or paths):
        raise CliFailure.usage("--branch takes everything: it goes with neither --files nor paths")
    from daemon.cli.landing.seen import Seen
    from daemon.cli.landing.shown import how_to_decide, write_outcome

    with invocation.connect() as client:
        found = find_session(client, session)
        with_commits = True if branch is not None else False if files or paths else None
        seen = Seen.look(client, found, with_commits=with_commits)
        _say_what_was_cut_off(invocation, client, found, always=seen.is_empty)
        if seen.is_empty:
            outcome: dict[str, Any] | None = None
            invocation.output.note("Nothing differs from your folder; there is nothing to land.")
        elif yes or yes_to or not invocation.prompts.interactive:
            outcome = _land_as_told(invocation, client, seen, paths, yes_to, branch, yes=yes)
        else:
            from daemon.cli.landing.asking import ask_and_land

            outcome = ask_and_land(invocation, client, seen, paths=paths, branch=branch)
    if as_json:
        invocation.output.json({"outcome": outcome})
    elif outcome is not None:
        write_outcome(invocation.output.line, outcome)
    elif not seen.is_empty:
        invocation.output.note(how_to_decide(found))


def _say_what_was_cut_off(invocation: Invocation, client: Any, session: str, *, always: bool) -> None:
    """Say what became of the last landing if nobody may have read the answer to it."""
    workspace = client.get("/v1/workspaces/{}", session)
    last = workspace.get("last_landing")
    cut_off = workspace.get("landing_now") or (last and last["cut_off"])
    for said in last_landing(workspace, invocation.now()) if always or cut_off else ():
        invocation.output.note(f"The last landing: {said}")


def _land_as_told(
    invocation: Invocation,
    client: Any,
    seen: "Seen",
    paths: list[str] | None,
    yes_to: list[str],
    branch: str | None,
    *,
    yes: bool,
) -> dict[str, Any]:
    from daemon.cli.landing.asking import land as send
    from daemon.cli.landing.shown import write_seen

    if not yes:
        write_seen(invocation.output.note, seen, most=20)
    invocation.prompts.confirm(f"{seen.summary()}. Land?", yes=yes)
    return send(
        client,
        seen,
        mode="files" if branch is None else "branch",
        how="option" if yes else "question",
        paths=[*paths, *yes_to] if paths else None,
        yes_to=yes_to,
        branch="" if branch in (None, "-") else str(branch),
    )


@app.command()
def discard(ctx: typer.Context, session: SessionArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Throw away what the agent changed and you did not land.

    It cannot be had back.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.landing.seen import Seen
    from daemon.cli.landing.shown import write_seen

    with invocation.connect() as client:
        found = find_session(client, session)
        if not yes:
            seen = Seen.look(client, found)
            write_seen(invocation.output.note, seen)
            invocation.prompts.confirm(f"{seen.summary()}. Throw it away for good?", yes=False)
        answer = client.post("/v1/workspaces/{}/discard", found, patient=True)
    if as_json:
        invocation.output.json(answer)
    else:
        invocation.output.line(f"Thrown away: the workspace of {one_line(found)}.")


@app.command()
def watch(
    ctx: typer.Context,
    session: SessionArgument,
    mirror: Annotated[
        Path | None,
        typer.Option(
            "--mirror",
            metavar="FOLDER",
            help="Keep read-only copies of the changed files there, for an editor; an empty folder, or one of ours.",
        ),
    ] = None,
) -> None:
    """Print what the agent changes, while it does.

    Ends with the session, or with Ctrl-C.
    """
    invocation = Invocation.of(ctx)
    from daemon.cli.landing.watching import follow

    with invocation.connect() as client:
        follow(invocation, client, find_session(client, session), mirror)
