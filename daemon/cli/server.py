"""`aileron server`: the MCP servers behind the gate."""

import shlex
from typing import Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption, YesOption
from daemon.cli.rendering import neutralise, one_line
from daemon.cli.server_add import add
from daemon.cli.server_import import import_servers
from daemon.cli.server_line import AddsServer
from daemon.cli.server_login import login, login_in_words, login_until, logout, tell_unrevoked
from daemon.cli.server_logs import logs
from daemon.cli.server_restore import restore_servers
from daemon.cli.server_review import review

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Add MCP servers, and decide what of them is offered.",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The server's name.", autocompletion=known.servers)]
_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "failed": "red",
    "disabled": "dim",
    "ask": "yellow",
    "deny": "red",
    "changed": "yellow",
    "new": "yellow",
    "gone": "dim",
}

app.command(cls=AddsServer)(add)
app.command("import")(import_servers)
app.command("restore")(restore_servers)


@app.command("list")
def list_servers(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the servers, their tools and what went wrong last."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/servers")
    if as_json:
        invocation.output.json(answer)
        return
    invocation.output.table(
        ["name", "mode", "state", "era", "tools", "withheld", "login", "last error"],
        [
            [
                item["name"],
                item["mode"],
                item["state"],
                item["era"],
                item["tools"] if item["looked_at"] else "?",
                item["withheld"] or "-",
                login_until(item["login"], invocation.now()),
                one_line(item["error"] or "-", limit=200),
            ]
            for item in answer["items"]
        ],
        empty="There are no servers. Add one with: aileron server add NAME -- COMMAND ...",
        fold="last error",
        styles=_STYLES,
    )
    if answer["problem"] is not None:
        invocation.output.note(_said(answer["problem"]), style="red")
    if any(item["withheld"] for item in answer["items"]):
        invocation.output.note("See what changed: aileron server review NAME", style="yellow")


def _said(problem: dict[str, Any]) -> str:
    line = "" if problem["line"] is None else f":{problem['line']}"
    said = (problem["problem"], problem["remedy"], problem.get("meanwhile"))
    return f"{one_line(problem['file'])}{line}: {' '.join(one_line(each) for each in said if each)}"


@app.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show how a server is reached, and what is known of it."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/servers/{}", name)
    if as_json:
        invocation.output.json(item)
        return
    local = item["mode"] == "local"
    given, what = (item["env"], "variable") if local else (item["headers"], "header")
    invocation.output.fields(
        [
            ("name", item["name"]),
            ("mode", item["mode"]),
            ("state", item["state"]),
            ("protocol", item["protocol"]),
            ("command", shlex.join(item["command"])) if local else ("url", item["url"]),
            *((what, f"{key}: {value}") for key, value in given.items()),
            *((("folder", item["folder"]),) if local else ()),
            ("scope", item["scope"]),
            ("tools", f"{item['tools']}, {item['withheld']} withheld" if item["looked_at"] else "not looked at yet"),
            ("names begin", f"{item['tool_prefix']}__"),
            ("secrets", item["secrets"] or "-"),
            *((("login", login_in_words(item["login"], invocation.now())),) if not local else ()),
            ("identity", item["identity"]),
            ("last error", item["error"]),
        ]
    )


@app.command()
def tools(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """List a server's tools with what your rules say of them."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/servers/{}/tools", name)
        server = client.get("/v1/servers/{}", name)
    if as_json:
        invocation.output.json(answer)
        return
    error = server["error"]
    nothing = (
        "Its tools were not looked at yet, or it offers none." if error is None else f"{one_line(error).rstrip('.')}."
    )
    invocation.output.table(
        ["tool", "name for agents", "state", "rule", "description"],
        [
            [item["tool"], item["name"], item["state"], item["decision"], one_line(item["description"], limit=70)]
            for item in answer["items"]
        ],
        empty=f"{nothing} Look with: aileron server test {name}" if server["enabled"] else "It was not looked at yet.",
        fold="description",
        styles=_STYLES,
    )
    if not server["enabled"]:
        said = f"{one_line(name)} is disabled, so agents get none of these. To offer them: aileron server enable {name}"
        invocation.output.note(said, style="yellow")


@app.command("test")
def ask_for_tools(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Start a server if it does not run, and ask it for its tools."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client, invocation.output.progress(f"Asking {name}"):
        answer = client.post("/v1/servers/{}/test", name, patient=True)
    said = f"{one_line(answer['server'] or name)} answered in {answer['milliseconds']} ms: {answer['tools']} tools"
    withheld = f", {answer['withheld']} withheld" if answer["withheld"] else ""
    invocation.answer(answer, f"{said}{withheld} (protocol {one_line(answer['protocol'])}).")
    if answer["withheld"]:
        invocation.output.note(f"See what changed: aileron server review {name}", style="yellow")


@app.command()
def enable(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Offer a server's tools to agents again."""
    _switched(Invocation.of(ctx, as_json=as_json), name, "enable")


@app.command()
def disable(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Keep a server, but neither start it nor offer its tools."""
    _switched(Invocation.of(ctx, as_json=as_json), name, "disable")


def _switched(invocation: Invocation, name: str, verb: str) -> None:
    with invocation.connect() as client:
        answer = client.post(f"/v1/servers/{{}}/{verb}", name)
    invocation.answer(answer, f"{one_line(name)} is {verb}d.")


@app.command()
def restart(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """End a server with what it does just now, and start it again."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client, invocation.output.progress(f"Starting {name}"):
        answer = client.post("/v1/servers/{}/restart", name, patient=True)
    invocation.answer(answer, f"{one_line(name)} is {neutralise(answer['state'])}.")


@app.command()
def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Take a server out of servers.yaml with its login, and end it.

    What its tools were is forgotten, so a server that is added again is looked at as for the first time. The tokens of
    its login are taken out of the vault and revoked, as by aileron server logout. Its secrets stay in the vault; see
    them with aileron secret list.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        shown = client.get("/v1/servers/{}", name)
        goes_along = shown["login"] is not None and shown["login_shared_with"] is None
        and_login = f" and its login at {one_line(shown['login']['issuer'])}" if goes_along else ""
        invocation.prompts.confirm(f"Remove the server {one_line(name)}{and_login}?", yes=yes)
        removed = client.delete("/v1/servers/{}", name, patient=True)
    invocation.answer(removed, f"{one_line(name)} is removed{_with_login(removed)}.")
    if removed["login"] is not None:
        tell_unrevoked(invocation, removed["login"])


def _with_login(removed: dict[str, Any]) -> str:
    if removed["login"] is not None:
        return f", and you are logged out of {one_line(removed['login']['issuer'])}"
    if removed["login_shared_with"] is not None:
        return f"; its login stays, because {one_line(removed['login_shared_with'])} has the same address"
    return ""


app.command()(review)
app.command()(login)
app.command()(logout)
app.command()(logs)
