"""`aileron server login` and `logout`: the person's login at a remote server."""

from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import known
from daemon.cli.client import ControlClient
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import time_left
from daemon.cli.open import has_display
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The server's name.", autocompletion=known.servers)]
_WAIT_SECONDS = 20


def login(
    ctx: typer.Context,
    name: NameArgument,
    device: Annotated[
        bool, typer.Option("--device", help="Type a code on another device, where the server offers that.")
    ] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address that the browser ended on: for a browser elsewhere.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Start a browser.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Log in at a remote server with its own login (OAuth).

    A browser opens, and comes back to this machine when you have logged in. The tokens go to the vault; agents never
    see them. Log in again when a server wants more rights than it was given.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    if device and paste:
        raise CliFailure.usage("--device and --paste are two ways", remedy="Pass one of them.")
    with invocation.prompts.unseen() if paste else nullcontext(), invocation.connect() as client:
        begun = client.post("/v1/servers/{}/login", name, body={"device": device}, patient=True)
        ended = False
        try:
            _tell(invocation, begun, browser=browser and not (device or paste))
            state = _pasted(invocation, client, name) if paste else _waited(client, name)
            ended = True
        finally:
            if not ended:  # the person pressed Ctrl-C, or nothing can be asked here
                client.delete("/v1/servers/{}/login", name)
    if state["state"] != "done":
        raise CliFailure(
            f"You are not logged in at {one_line(name)}. {one_line(state['message'] or '')}".rstrip(),
            remedy=f"Try again: aileron server login {one_line(name)}",
        )
    scopes = f" with {one_line(' '.join(state['scopes']))}" if state["scopes"] else ""
    invocation.answer(
        state, f"You are logged in at {one_line(name)}{scopes}. See: aileron server test {one_line(name)}"
    )


def _tell(invocation: Invocation, begun: dict[str, Any], *, browser: bool) -> None:
    note = invocation.output.note
    note(f"Log in at {one_line(begun['issuer'] or '')}:")
    note(neutralise(begun["url"]))
    if begun["code"] is not None:
        note(f"The code there: {one_line(begun['code'])}")
    if browser and has_display(invocation):
        import webbrowser

        if not webbrowser.open(begun["url"]):
            note("No browser could be started; open the link by hand.", style="dim")


def _waited(client: ControlClient, name: str) -> Any:
    while True:
        state = client.get_patiently("/v1/servers/{}/login", name, wait=_WAIT_SECONDS)
        if state["state"] != "waiting":
            return state


def _pasted(invocation: Invocation, client: ControlClient, name: str) -> Any:
    # The address holds the code, so it is not shown; it can be used once, and only with what the daemon keeps.
    prompts, what = invocation.prompts, "The address that the browser ended on"
    pasted = (
        prompts.secret(what, option="--paste")
        if prompts.interactive
        else prompts.secret_file(Path("-"), option="--paste")
    )
    return client.post("/v1/servers/{}/login/reply", name, body={"url": pasted}, patient=True)


def logout(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Take a server's tokens out of the vault, and have them revoked."""
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.connect() as client:
        answer = client.post("/v1/servers/{}/logout", name, patient=True)
    invocation.answer(answer, f"You are logged out of {one_line(name)}.")
    tell_unrevoked(invocation, answer)


def tell_unrevoked(invocation: Invocation, logged_out: dict[str, Any]) -> None:
    """Say what a person can do about tokens that are gone here and may be good elsewhere."""
    if not logged_out["revoked"]:
        invocation.output.note(
            f"Its tokens are gone here, but they were not revoked: {one_line(logged_out['problem'] or '')} They may "
            "be good until they expire; end the access in your account there.",
            style="yellow",
        )


def login_in_words(login: dict[str, Any] | None, now: datetime) -> str:
    """Say where somebody is logged in, with which rights, and until when."""
    if login is None:
        return "-"
    scopes = f" with {one_line(' '.join(login['scopes']))}" if login["scopes"] else ""
    return f"at {one_line(login['issuer'])}{scopes}, {login_until(login, now)}"


def login_until(login: dict[str, Any] | None, now: datetime) -> str:
    """Say for how long a login holds without the person."""
    if login is None:
        return "-"
    if login["renews"]:
        return "renewed by itself"
    if login["expires_at"] is None:
        return "no end is known"
    left = time_left(login["expires_at"], now)
    return "ended" if left == "over" else f"ends in {left}"
