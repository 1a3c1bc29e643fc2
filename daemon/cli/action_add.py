"""`aileron action add`: start an action file, filled in from an installed connector where one is named."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.base.files import create_file
from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The action's name, such as ship-update.")],
    connector: Annotated[
        str | None,
        typer.Option(
            "--connector", metavar="CONNECTOR", help="Use this installed connector.", autocompletion=known.connectors
        ),
    ] = None,
    op: Annotated[
        str | None, typer.Option("--op", metavar="NAME", help="Call this operation of it, and take its inputs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a starter action file.

    It goes into the actions folder, parses as it is, and explains each part in a comment.
    """
    from daemon.cli.action_starter import NAME, starter

    invocation = Invocation.of(ctx, as_json=as_json)
    if not NAME.fullmatch(name):
        raise CliFailure.usage(
            f"{name!r} is no name for an action",
            remedy="Write lower-case letters and digits, in words joined by single dashes, like ship-update.",
        )
    if op is not None and connector is None:
        raise CliFailure.usage("--op names an operation of a connector", remedy="Pass --connector CONNECTOR as well.")
    path = invocation.home().actions_dir / f"{name}.md"
    if path.exists():
        raise CliFailure(f"{path} exists already; nothing was changed", remedy="Edit it, or choose another name.")
    if connector is not None:
        with invocation.connect() as client:
            chosen = client.get("/v1/connectors/show", ref=connector)
        text = starter(name, connector=chosen, op=_pick(chosen, op))
    else:
        text = starter(name)
    _write(path, text)
    invocation.answer({"name": name, "file": str(path)}, str(path))
    if connector is None:
        _offer(invocation, name)
    invocation.output.note(f"Edit it, then check it with: aileron action check {path}", style="dim")


def _pick(connector: dict[str, Any], name: str | None) -> dict[str, Any]:
    ops: list[dict[str, Any]] = connector["ops"]
    names = ", ".join(one_line(item["name"]) for item in ops)
    if name is None:
        if len(ops) == 1:
            return ops[0]
        raise CliFailure.usage("the connector has several operations", remedy=f"Pass --op with one of: {names}")
    for item in ops:
        if item["name"] == name:
            return item
    raise CliFailure.usage(f"the connector has no operation {name!r}", remedy=f"It has: {names}")


def _offer(invocation: Invocation, name: str) -> None:
    """Name the connectors a next try could use, if a daemon runs; a starter is no reason to start one."""
    client = invocation.connect_if_running()
    if client is None:
        return
    with client:
        items = client.get("/v1/connectors")["items"]
    if items:
        invocation.output.note("It has a placeholder for the connector. Installed are:", style="yellow")
        for item in items:
            invocation.output.note(f"  {one_line(item['name'])}@{one_line(item['version'])}")
        invocation.output.note(
            f"To start from one, remove the file and run: aileron action add {name} --connector CONNECTOR --op OP",
            style="dim",
        )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_file(path, text.encode())  # a file that appeared meanwhile, or a link, is never written over
    except OSError as error:
        raise CliFailure(f"{path} cannot be written: {error.strerror}") from error
