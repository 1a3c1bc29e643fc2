"""`aileron connector init`: a connector that is built already, for whoever has one service and no compiler.

`example_connector/` holds what `python -m connectors.build wellbehaved --fqn file://example/items` writes.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

_SHIPPED = Path(__file__).parent / "example_connector"
_NAME = re.compile(r'^name = ".*"$', re.MULTILINE)
_HOSTS = re.compile(r"^hosts = \[.*\]$", re.MULTILINE)


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for it.")],
    host: Annotated[
        list[str],
        typer.Option("--host", metavar="HOST:PORT", help="What it may reach, such as api.example.com:443; repeatable."),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Its full name, such as github://acme/items.")
    ] = "file://example/items",
    as_json: JsonOption = False,
) -> None:
    """Write a small connector for JSON at a service of yours.

    It gets, posts and puts items, and the API key of its binding is sent as `Authorization: Bearer`.
    """
    from daemon.core.authority import AuthorityError, HostPort
    from daemon.core.fqn import Fqn, FqnError

    invocation = Invocation.of(ctx, as_json=as_json)
    try:
        hosts = [str(HostPort.parse(each)) for each in host]
        fqn = str(Fqn.parse(name))
    except (AuthorityError, FqnError) as problem:
        raise CliFailure.usage(str(problem)) from problem
    manifest = (_SHIPPED / "manifest.toml").read_text(encoding="utf-8")
    manifest = _NAME.sub(lambda _: f"name = {json.dumps(fqn)}", manifest, count=1)
    manifest = _HOSTS.sub(lambda _: f"hosts = {json.dumps(hosts)}", manifest)
    _write(folder, manifest)
    invocation.answer({"name": fqn, "folder": str(folder), "hosts": hosts}, f"Written to {one_line(str(folder))}.")
    invocation.output.note(f"Install it: aileron connector add {one_line(str(folder))} --allow-unsigned", style="dim")


def _write(folder: Path, manifest: str) -> None:
    try:
        folder.mkdir(parents=True)
        (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
        (folder / "connector.wasm").write_bytes((_SHIPPED / "connector.wasm").read_bytes())
    except FileExistsError:
        raise CliFailure(f"{folder} exists already; nothing was changed", remedy="Name a new folder.") from None
    except OSError as error:
        raise CliFailure(f"{folder} cannot be written: {error.strerror}", remedy="Name a folder elsewhere.") from error
