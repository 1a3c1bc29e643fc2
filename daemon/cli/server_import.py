"""`aileron server import`: what agents have configured comes behind the gate, and its secrets into the vault."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.cli.client import ControlClient
    from daemon.cli.importing.hiding import Doubt
    from daemon.cli.importing.looking import Looked
    from daemon.cli.importing.planning import FilePlan
    from daemon.cli.importing.reading import ReadFile
    from daemon.cli.importing.records import Record

_AGENTS = "claude, claude-desktop, codex, goose, opencode, pi, cursor, vscode, or a file; all agents if not given."


def import_servers(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help=_AGENTS)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and write nothing.")] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Start each server once, and see what it offers.")
    ] = True,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take over the MCP servers that your agents have configured.

    Their secrets go to the vault, the servers to servers.yaml, and the agents' own files lose them and nothing else.
    What cannot be taken over stays where it is. `aileron server restore` gives everything back.
    """
    from daemon.cli.importing.carrying_out import carry_out, settle
    from daemon.cli.importing.looking import look_at
    from daemon.cli.importing.reading import read, sources_of
    from daemon.cli.importing.records import Records

    invocation = Invocation.of(ctx, as_json=as_json)
    if not dry_run:
        invocation.need_yes_with_json(yes=yes)
    files = [file for source in sources_of(invocation, agent) if (file := read(source)) is not None]
    records = Records(invocation.home().imports_dir)
    asks = not (dry_run or yes)
    if dry_run or not any(file.found for file in files):
        client = invocation.connect_if_running()
        plans = _plans(invocation, client, files, records.all(), asks=False)
        _show(invocation, plans, dry_run=dry_run)
        if dry_run and client is None and not as_json:
            invocation.output.note("The daemon does not run, so a name that is taken may get a number.", style="dim")
        return
    with records.alone(), invocation.connect() as client:
        settle(records)
        # Read again: another import may have ended just now.
        files = [again for file in files if (again := read(file.source)) is not None]
        plans = _plans(invocation, client, files, records.all(), asks=asks)
        if not as_json:
            _show(invocation, plans, dry_run=True)
        if any(plan.moves for plan in plans):
            _check_vault(client, plans)
            invocation.prompts.confirm("Do this?", yes=yes)
            for plan in plans:
                if plan.moves:
                    carry_out(client, records, plan)
    added = dict.fromkeys(
        move.server for plan in plans for move in plan.moves if move.add and move.body.get("enabled", True)
    )
    looked = look_at(invocation, list(added)) if test else []
    if as_json:
        _show(invocation, plans, dry_run=False, looked=looked)
    else:
        _tell(invocation, plans, looked)


def _plans(
    invocation: Invocation,
    client: "ControlClient | None",
    files: "list[ReadFile]",
    records: "list[Record]",
    *,
    asks: bool,
) -> "list[FilePlan]":
    from daemon.cli.importing.planning import Planner

    def is_secret(doubt: "Doubt") -> bool:
        if not asks or not invocation.prompts.interactive:
            return True  # a value in the vault that is no secret does no harm
        where = f"{one_line(doubt.where)} of {one_line(doubt.server)}"
        answer = invocation.prompts.answer(f"{where} looks random ({doubt.length} characters). A secret? [Y/n] ")
        if answer is None:
            raise CliFailure("no answer was given; nothing was changed")
        return answer not in {"n", "no"}

    names = [] if client is None else [item["name"] for item in client.get("/v1/servers")["items"]]
    servers = {name: client.get("/v1/servers/{}", name) for name in names} if client is not None else {}
    stored = [] if client is None else _stored(client)
    planner = Planner(
        servers=servers,
        secrets=stored,
        records=records,
        is_stored=lambda name, value: client is not None and _is_stored(client, name, value),
        is_secret=is_secret,
    )
    return [planner.plan(file) for file in files]


def _is_stored(client: "ControlClient", name: str, value: str) -> bool:
    """Have the daemon say whether a secret has this value."""
    return bool(client.post("/v1/secrets/same", body={"name": name, "value": value})["same"])


def _stored(client: "ControlClient") -> list[str]:
    if client.get("/v1/vault")["state"] != "unlocked":
        return []
    return [item["name"] for item in client.get("/v1/secrets")["items"]]


def _check_vault(client: "ControlClient", plans: "list[FilePlan]") -> None:
    """Raise CliFailure, before anything is written, if there are secrets and the vault does not take them."""
    count = sum(len(move.secrets) for plan in plans for move in plan.moves)
    state = client.get("/v1/vault")["state"] if count else "unlocked"
    if state != "unlocked":
        verb = "init" if state == "absent" else "unlock"
        raise CliFailure(
            f"{count} secrets cannot be stored: the vault is {state}; nothing was changed",
            exit_code=ExitCode.VAULT_LOCKED,
            remedy=f"run: aileron vault {verb}. Then run this again.",
        )


def _show(invocation: Invocation, plans: "list[FilePlan]", *, dry_run: bool, looked: "Sequence[Looked]" = ()) -> None:
    if invocation.as_json:
        done = {"tested": [each.as_json() for each in looked]} if looked else {}
        invocation.output.json({"dry_run": dry_run, "files": [_as_json(plan) for plan in plans]} | done)
        return
    if not any(plan.moves or plan.left or plan.file.problem for plan in plans):
        invocation.output.line("No servers were found that could be taken over.")
        return
    for plan in plans:
        _show_file(invocation, plan)


def _show_file(invocation: Invocation, plan: "FilePlan") -> None:
    output, source = invocation.output, plan.file.source
    if not (plan.moves or plan.left or plan.file.problem):
        return
    output.heading(f"{one_line(source.path)} ({source.agent})")
    if plan.file.problem is not None:
        output.line(f"  left as it is: {one_line(plan.file.problem)}", style="yellow")
    for move in plan.moves:
        name = one_line(move.found.key[-1])
        what = "added" if move.add else "here already"
        output.line(f"  {name}: goes out of the file; {what} as {move.server}")
        if command := move.body.get("command"):
            output.line(f"    {one_line(' '.join(command))}", style="dim")
        elif url := move.body.get("url"):
            output.line(f"    {one_line(url)}", style="dim")
        for secret in move.secrets:
            why = f"{len(secret.value)} characters, {secret.why.value}"
            becomes = "is in the vault already, as" if secret.stored else "goes to the vault as"
            output.line(f"    {one_line(secret.where)} {becomes} {secret.name} ({why})")
        if move.body.get("unsafe_args"):
            output.line("    Every user of this machine can read its arguments while it runs.", style="yellow")
    for name, reason in plan.left:
        output.line(f"  {one_line(name)}: stays in the file: {one_line(reason)}", style="yellow")
    if plan.moves and source.project is not None:
        output.line("  This file belongs to the project: whoever shares it loses these servers, too.", style="yellow")


def _tell(invocation: Invocation, plans: "list[FilePlan]", looked: "Sequence[Looked]") -> None:
    moved = [move for plan in plans for move in plan.moves]
    if not moved:
        return
    added = sorted({move.server for move in moved if move.add})
    invocation.output.line(f"Taken over: {', '.join(dict.fromkeys(move.server for move in moved))}.")
    for plan in plans:
        for name, reason in plan.left:
            invocation.output.note(
                f"{one_line(name)} stays in {one_line(plan.path)}: {one_line(reason)}", style="yellow"
            )
    for each in looked:
        if each.failure is None:
            invocation.output.line(f"{each.server} offers {each.tools} {'tool' if each.tools == 1 else 'tools'}.")
        else:
            invocation.output.note(
                f"{each.server} cannot be asked yet: {one_line(each.failure.message)}", style="yellow"
            )
    if added:
        invocation.output.note(f"See what one offers: aileron server tools {added[0]}", style="dim")
    invocation.output.note("Agents that run already notice it when they are started anew.", style="dim")
    invocation.output.note("To have everything as before: aileron server restore", style="dim")


def _as_json(plan: "FilePlan") -> dict[str, Any]:
    return {
        "agent": plan.file.source.agent,
        "file": plan.path,
        "problem": plan.file.problem,
        "servers": [
            {
                "entry": move.found.key[-1],
                "name": move.server,
                "added": move.add,
                "secrets": [secret.as_json() for secret in move.secrets],
            }
            for move in plan.moves
        ],
        "left": [{"entry": name, "reason": reason} for name, reason in plan.left],
    }
