"""`aileron server add`: a server is written into servers.yaml, and its secrets go to the vault."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line
from daemon.cli.server_keeping import Keeping
from daemon.cli.server_line import check_line, check_paths, check_program_is_one_word, whole_folder

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the server, such as github.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="The command that starts it, behind two dashes."),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Where a remote server is.")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="A variable for it; a NAME alone is asked for unseen."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            metavar="NAME=VALUE",
            help="A header for a remote server, also 'NAME: VALUE'; a NAME alone is asked for.",
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--folder", metavar="FOLDER", help="Where it works, such as . for here; your home if not said."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="NAME", help="What its tools' names begin with, if not its name.")
    ] = None,
    per_session: Annotated[
        bool, typer.Option("--per-session", help="Start one for each session, and not one for all.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write values that look like secrets into the file as they are.")
    ] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Start it once, and see what it offers.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Add an MCP server: its tools become tools of your agents.

    A value that looks like a secret goes to the vault, also out of the URL and the command, and only its name into
    servers.yaml. So that it does not stand in the history of your shell, write --env NAME without a value: it is asked
    for. What is in the vault already is named with --env NAME=vault://secrets/SECRET.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    _check(ctx, name, command or [], url, env=bool(env), header=bool(header), folder=folder)
    whole = _whole(folder)
    with invocation.connect() as client:
        keeping = Keeping(invocation, client, name, plain=plain)
        texts = {"env": keeping.texts(env or [], "--env"), "headers": keeping.texts(header or [], "--header")}
        where = keeping.command(command or []) if url is None else keeping.url(url)
        keeping.check_vault()
        body = {"name": name, "folder": whole, **where, **texts, "tool_prefix": prefix}
        body["scope"] = "session" if per_session else "shared"
        added = _added(client, keeping, body)
        tested, failure = _tested(client, invocation, name) if test else (None, None)
    if as_json:
        error = None if failure is None else failure.envelope()["error"]
        invocation.output.json(added | {"stored": keeping.stored, "test": tested, "test_error": error})
    else:
        _write(invocation, name, keeping, tested, failure)


def _write(
    invocation: Invocation,
    name: str,
    keeping: Keeping,
    tested: dict[str, Any] | None,
    failure: CliFailure | None,
) -> None:
    invocation.output.line(f"{one_line(name)} is added.")
    for secret in keeping.stored:
        invocation.output.note(f"In the vault: {one_line(secret)}", style="dim")
    for warning in keeping.warnings:
        invocation.output.note(warning, style="yellow")
    if tested is not None:
        count = tested["tools"]
        invocation.output.line(f"It offers {count} {'tool' if count == 1 else 'tools'}: aileron server tools {name}")
    if failure is not None:
        invocation.output.note(f"It cannot be asked yet: {one_line(failure.message)}", style="yellow")
        again = f"Then try: aileron server test {name}"
        if failure.failure_class not in {"vault_locked", "binding_required"}:  # these name the command that helps
            mend = f"Mend its entry in servers.yaml, or take it out with aileron server remove {name} and add it again."
            again = f"{mend} {again}"
        invocation.output.note(one_line(failure.remedy or again), style="yellow")


def _check(
    ctx: typer.Context,
    name: str,
    command: Sequence[str],
    url: str | None,
    *,
    env: bool,
    header: bool,
    folder: str | None,
) -> None:
    """Raise CliFailure for a line that cannot mean what it says."""
    import shutil

    options = {option for each in ctx.command.params for option in (*each.opts, *each.secondary_opts)}
    check_line(name, command, url, env=env, header=header, folder=folder is not None, options=options)
    if command:
        check_program_is_one_word(command[0], lambda word: shutil.which(word) is not None)
        if folder is None and (here := _here()) is not None:
            check_paths(command, here, Path.home())


def _added(client: "ControlClient", keeping: Keeping, body: Mapping[str, Any]) -> dict[str, Any]:
    """Add the server, then its secrets: a server that is refused must not have replaced the secret of another one."""
    added: dict[str, Any] = client.post("/v1/servers", body=body)
    try:
        keeping.store()
    except CliFailure:
        with suppress(CliFailure):  # without its secrets it would be there and never start
            client.delete("/v1/servers/{}", body["name"])
        raise
    return added


def _here() -> Path | None:
    """Return the folder that the person stands in; None if it was removed meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _whole(folder: str | None) -> str | None:
    if folder is None:
        return None
    here = _here()
    if here is None and not folder.startswith(("/", "~")):
        raise CliFailure.usage("the folder that you stand in is not there any more", remedy="Pass a whole path.")
    return whole_folder(folder, here or Path("/"))


def _tested(
    client: "ControlClient", invocation: Invocation, name: str
) -> tuple[dict[str, Any] | None, CliFailure | None]:
    try:
        with invocation.output.progress(f"Starting {name}"):
            return client.post("/v1/servers/{}/test", name, patient=True), None
    except CliFailure as failure:
        return None, failure
