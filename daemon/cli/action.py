"""`aileron action`: the actions that are installed, checking their files, and writing new ones."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.action_add import add
from daemon.cli.action_run import result, run
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Write, check and run actions."
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The action's name.", autocompletion=known.actions)]
_STYLES = {
    "ready": "green",
    "locked": "yellow",
    "blocked": "red",
    "disabled": "dim",
    "broken": "red",
    "ask": "yellow",
    "deny": "red",
}


@app.command("list")
def list_actions(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the installed actions."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.get("/v1/actions")
    if as_json:
        invocation.output.json(answer)
        return
    invocation.output.table(
        ["name", "version", "state", "approval", "description"],
        [
            [item["name"], item["version"], item["state"], item["decision"], first_line(item.get("description"))]
            for item in answer["items"]
        ],
        empty="No actions are installed. Write one with: aileron action add NAME",
        fold="description",
        styles=_STYLES,
    )
    if any(item["state"] in {"broken", "blocked"} for item in answer["items"]):
        invocation.output.note("See what keeps an action from running: aileron action show NAME", style="yellow")
    if any(item["state"] == "locked" for item in answer["items"]):
        invocation.output.note("For those that are locked: aileron vault unlock", style="yellow")


def first_line(text: Any) -> str:
    """Return the first line of a description that says something, without the marks of a heading."""
    for line in str(text or "").splitlines():
        if line.strip("# \t"):
            return one_line(line.strip("# \t"), limit=70)
    return "-"


@app.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show an action: what it takes, what it uses, and its file."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        item = client.get("/v1/actions/{}", name)
    if as_json:
        invocation.output.json(item)
        return
    output = invocation.output
    output.fields(
        [
            ("name", item["name"]),
            ("version", item["version"]),
            ("state", item["state"]),
            ("approval", _DECISIONS.get(item["decision"], item["decision"])),
            ("tool name", item["tool_name"]),
            ("file", item["file"]),
            ("hash", item["hash"]),
        ]
    )
    for problem in item["problems"]:
        output.line(problem_line(problem), style="red")
    if item["inputs"]:
        output.line()
        output.table(
            ["input", "type", "required", "description"],
            [[entry["name"], entry["type"], entry["required"], entry["description"]] for entry in item["inputs"]],
            empty="",
            fold="description",
        )
    if item.get("steps"):
        output.line()
        output.table(
            ["step", "connector", "operation"],
            [[step["id"], step["connector"], step["op"]] for step in item["steps"]],
            empty="",
        )
    if item.get("description"):
        output.line()
        output.line(neutralise(item["description"].strip(), multiline=True))


_DECISIONS = {
    "ask": "a person must approve each call",
    "allow": "runs without asking",
    "deny": "denied by a rule of this installation",
}


def problem_line(problem: dict[str, Any]) -> str:
    """Return what is wrong with a file the way compilers do: file:line: problem remedy."""
    place = one_line(problem["file"])
    if problem.get("line") is not None:
        place += f":{problem['line']}"
    return f"{place}: {neutralise(problem['problem'])} {neutralise(problem.get('remedy') or '')}".rstrip()


@app.command()
def check(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Action files, or names of installed actions.", autocompletion=known.actions
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Check action files.

    Prints every problem of a file at once, as file:line: problem remedy. Exit code 1 if there is one.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    texts = [(file, _read(file)) for file in (_file(invocation, given) for given in files)]
    problems: list[dict[str, Any]] = []
    with invocation.connect() as client:
        for file, text in texts:
            problems += client.post("/v1/actions/check", body={"text": text, "file": str(file)})["problems"]
    if as_json:
        invocation.output.json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            invocation.output.line(problem_line(problem))
        if not problems:
            invocation.output.note(f"{len(files)} {'file' if len(files) == 1 else 'files'} checked, no problems.")
    if problems:
        raise typer.Exit(ExitCode.FAILED)


def _file(invocation: Invocation, given: str) -> Path:
    """Return the file that is meant: one that is there, or else the installed action of that name."""
    path = Path(given)
    installed = invocation.home().actions_dir / f"{given}.md"
    if "/" in given or path.suffix == ".md" or path.exists():
        return path
    if installed.exists():
        return installed
    raise CliFailure.usage(
        f"{given!r} is neither a file here nor an installed action",
        remedy=f"Write the path of a file, or a name of: aileron action list. The actions lie in {installed.parent}.",
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CliFailure.usage(f"{file} is not UTF-8 text", remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise CliFailure.usage(f"{file} cannot be read: {error.strerror}", remedy="Pass a readable file.") from error


@app.command()
def enable(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Let an action be seen and run by agents again."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.post("/v1/actions/{}/enable", name)
    invocation.answer(answer, f"{one_line(name)} is enabled.")


@app.command()
def disable(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Keep an action installed, but let nobody run it."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.post("/v1/actions/{}/disable", name)
    invocation.answer(answer, f"{one_line(name)} is disabled.")


app.command()(run)
app.command()(result)
app.command()(add)
