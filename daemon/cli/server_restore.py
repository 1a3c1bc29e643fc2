"""`aileron server restore`: agents get back what `aileron server import` took over."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.cli.importing.records import Record
    from daemon.cli.importing.restoring import Restored


def restore_servers(
    ctx: typer.Context,
    agent: Annotated[
        str | None, typer.Argument(metavar="AGENT", help="An agent or a file; everything, if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give agents back the servers that were imported.

    A file that nobody changed since has the same bytes as before. In another one only the servers are put back. They
    are taken out of servers.yaml again, with their logins; their secrets stay in the vault.
    """
    from daemon.cli.importing.records import Records
    from daemon.cli.importing.restoring import restore

    invocation = Invocation.of(ctx, as_json=as_json)
    records = Records(invocation.home().imports_dir)
    if not any(_is_meant(record, agent) for record in records.all()):
        _say_why_nothing(invocation, records.all(), agent)
        return
    with records.alone(), invocation.connect() as client:
        # The newest first: a file that was imported twice goes back step by step.
        meant = [record for record in reversed(records.all()) if _is_meant(record, agent)]
        done: list[Restored] = []
        stuck: set[str] = set()
        for record in meant:
            if record.file not in stuck:
                done.append(restore(client, records, record))
                stuck |= {record.file} if done[-1].problem is not None else set()
    if as_json:
        invocation.output.json({"items": [asdict(each) for each in done]})
    else:
        for each in done:
            _tell(invocation, each)
    if stuck:
        raise CliFailure(
            f"not given back: {', '.join(sorted(map(one_line, stuck)))}",
            remedy="Mend what is said above, then run this again; what was taken out is kept until then.",
        )


def _say_why_nothing(invocation: Invocation, records: "Sequence[Record]", agent: str | None) -> None:
    from launchers.importing.places import AGENTS

    if agent is not None and agent not in AGENTS and not Path(agent).expanduser().exists():
        raise CliFailure.usage(
            f"{one_line(agent)} is no agent that is known here, and no file",
            remedy=f"Name one of {', '.join(AGENTS)}, or the file that was imported.",
        )
    others = ", ".join(dict.fromkeys(record.agent for record in records))
    where = "" if agent is None else f" from {one_line(agent)}"
    rest = f" There is something of: {others}." if others else ""
    invocation.answer({"items": []}, f"Nothing was imported{where} that could be given back.{rest}")


def _is_meant(record: "Record", agent: str | None) -> bool:
    if agent is None or record.agent == agent:
        return True
    return record.file == str(Path(agent).expanduser().resolve())


def _tell(invocation: Invocation, done: "Restored") -> None:
    output = invocation.output
    if done.problem is not None:
        output.note(f"{one_line(done.file)} was left alone: {one_line(done.problem)}", style="red")
        return
    output.line(f"{one_line(done.file)}: {done.how}.")
    for server in done.servers:
        output.line(f"  {one_line(server)} is taken out of servers.yaml.")
    for kept in done.kept:
        output.note(f"  {one_line(kept)}; it stays in servers.yaml.", style="dim")
    for issuer in done.logged_out:
        output.note(f"  You are logged out of {one_line(issuer)}.", style="dim")
    if done.secrets:
        output.note(f"  Its secrets stay in the vault: {', '.join(map(one_line, done.secrets))}", style="dim")
