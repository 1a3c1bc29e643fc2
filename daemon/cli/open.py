"""`aileron open`: take a person to a page of the daemon, signed in."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import known
from daemon.cli.ids import find_approval, find_question
from daemon.cli.invocation import Invocation
from daemon.cli.landing.finding import find_session
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

app = typer.Typer(add_completion=False, rich_markup_mode=None)

BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, or only print the link.")]


@app.callback(invoke_without_command=True)
def waiting(ctx: typer.Context, browser: BrowserOption = True) -> None:
    """Open a page of the daemon in the browser.

    Without a command, the list of what waits for you. The link, which is also printed, signs in once, within a minute.
    """
    if ctx.invoked_subcommand is not None:
        return
    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        _open(invocation, client, "/", browser=browser)


@app.command()
def approval(
    ctx: typer.Context,
    approval_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id of the approval, or any part of it.", autocompletion=known.approvals),
    ],
    browser: BrowserOption = True,
) -> None:
    """Open an approval in the browser.

    The link, which is also printed, signs in once, within a minute.
    """
    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        found = client.get("/v1/approvals/{}", find_approval(client, approval_id))
        _open(invocation, client, f"/approvals/{found['id']}", browser=browser)


@app.command()
def question(
    ctx: typer.Context,
    question_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id of the question, or any part of it.", autocompletion=known.questions),
    ],
    browser: BrowserOption = True,
) -> None:
    """Open a question of a server in the browser.

    The link, which is also printed, signs in once, within a minute.
    """
    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        found = client.get("/v1/questions/{}", find_question(client, question_id))
        _open(invocation, client, f"/questions/{found['id']}", browser=browser)


@app.command()
def session(
    ctx: typer.Context,
    session_id: Annotated[
        str,
        typer.Argument(metavar="SESSION", help="Its id, or any part of it.", autocompletion=known.sessions),
    ],
    browser: BrowserOption = True,
) -> None:
    """Open in the browser what the agent of a session changed.

    The link, which is also printed, signs in once, within a minute.
    """
    invocation = Invocation.of(ctx)
    with invocation.connect() as client:
        found = find_session(client, session_id)
        _open(invocation, client, f"/sessions/{found}", browser=browser)


def _open(invocation: Invocation, client: "ControlClient", page: str, *, browser: bool) -> None:
    url = client.post("/v1/browser-logins", body={"next": page})["url"]
    invocation.output.line(one_line(url))
    if browser and has_display(invocation):
        import webbrowser

        if not webbrowser.open(url):
            invocation.output.note("No browser could be started; open the link by hand.", style="dim")
    invocation.output.note("The link works once, for a minute; keep it to yourself.", style="dim")


def has_display(invocation: Invocation) -> bool:
    """Say whether a browser would have a screen to open on, rather than take over this terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(invocation.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
