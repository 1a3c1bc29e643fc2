"""`aileron server review`: a person looks at tools that are new or changed, and lets them be called."""

from typing import Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import neutralise, one_line

_STYLES = {"+": "green", "-": "red"}


def review(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The server's name.", autocompletion=known.servers)],
    tool: Annotated[
        list[str] | None, typer.Option("--tool", metavar="TOOL", help="Only this tool; may be given several times.")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what changed in a server's tools, and accept it.

    A tool that is new or changed after the first look is withheld until then. Characters that cannot be seen, or that
    turn the reading order, are spelled out. What you accept is exactly what was shown: if a tool has changed again
    meanwhile, nothing is accepted.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        items = client.get("/v1/servers/{}/review", name)["items"]
        if tool:
            items = [item for item in items if item["tool"] in tool]
        digests = [item["digest"] for item in items if item["digest"] is not None]
        if not as_json:
            _write(invocation, items)
        accepted: list[str] = []
        if digests and (yes or (invocation.prompts.interactive and not as_json)):
            count = len(digests)
            invocation.prompts.confirm(f"Let {'this' if count == 1 else f'these {count}'} be called?", yes=yes)
            accepted = client.post("/v1/servers/{}/review", name, body={"digests": digests})["accepted"]
        elif digests and not as_json:
            invocation.output.note(f"To accept them: aileron server review {name} --yes", style="yellow")
    if as_json:
        invocation.output.json({"items": items, "accepted": accepted})
    elif accepted:
        invocation.output.line(f"Accepted: {', '.join(map(one_line, accepted))}")
    elif tool and not items:
        raise CliFailure(f"no such tool of {name} waits", remedy=f"See all that wait: aileron server review {name}")


def _write(invocation: Invocation, items: list[dict[str, Any]]) -> None:
    if not items:
        invocation.output.line("Nothing is new or changed.")
    for item in items:
        invocation.output.line(f"{one_line(item['tool'])}: {item['state']}", style="bold")
        for line in item["difference"].split("\n"):
            invocation.output.line(f"  {neutralise(line)}", style=_STYLES.get(line[:1], ""))
        invocation.output.line()
