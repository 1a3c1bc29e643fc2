"""A launch into a container: sees to the image, asks the daemon for the sandbox, attaches to it, decides what lands."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.landing.asking import decide_at_the_end
from daemon.cli.landing.finding import find_session
from daemon.cli.landing.shown import how_to_decide
from daemon.cli.launch import terminal
from daemon.cli.launch.attach import attach
from daemon.cli.launch.beforehand import connect_and_say
from daemon.cli.launch.building import ensure_image
from daemon.cli.launch.closing import close, end_session
from daemon.cli.launch.copying import told_of_a_copy
from daemon.cli.launch.git_identity import git_identity
from daemon.cli.launch.given_up import given_up
from daemon.cli.launch.own_container import with_devcontainer
from daemon.cli.rendering import one_line
from daemon.core.launch_request import LaunchRequest

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_CARRIED = ("TERM", "COLORTERM", "LANG", "LC_ALL", "TZ", "NO_COLOR")
"""What an agent in a container learns of the person's environment without being told."""


def run_in_sandbox(
    invocation: "Invocation",
    request: LaunchRequest,
    wish: str | None,
    *,
    devcontainer: bool,
    build_ca: Path | None,
) -> int:
    """Run an agent in a container to its end, let what it changed be decided about, and return its exit code."""
    with connect_and_say(invocation) as client:
        _say_if_there_is_no_key(invocation, client, request)
        if request.resume is not None:
            request = replace(request, resume=find_session(client, request.resume))
        ensure_image(invocation, client, request.agent, build_ca=build_ca)
        if devcontainer:
            request = with_devcontainer(invocation, client, request, build_ca=build_ca)
        session, outcome = _run(invocation, client, _with_surroundings(invocation, request))
        summary = end_session(client, session)
        _tell_outcome(invocation, outcome)
        if request.workspace_way != "live":
            summary["workspace"] = _decide(invocation, client, session, wish)
    close(invocation, summary | {"agent": request.agent, "sandbox": True, "exit_code": int(outcome["code"])})
    return int(outcome["code"])


def _say_if_there_is_no_key(invocation: "Invocation", client: "ControlClient", request: LaunchRequest) -> None:
    bound = any(item["bound"] for item in client.get("/v1/providers")["items"])
    if not bound and not any("KEY" in name.upper() for name in request.environment):
        invocation.output.note(
            "The vault holds no key of a model, and the container none of yours: "
            "aileron binding add provider://openai (or anthropic), or hand one in with --env NAME"
        )


def _with_surroundings(invocation: "Invocation", request: LaunchRequest) -> LaunchRequest:
    """Return the request with what is found here: the terminal, a few variables, the person's name in git."""
    environ = invocation.environ
    carried = {name: environ[name] for name in _CARRIED if environ.get(name)}
    columns, rows = terminal.size()
    identity = git_identity(Path(request.workspace), environ)
    return replace(
        request,
        terminal=terminal.is_terminal(),
        columns=columns,
        rows=rows,
        environment=carried | dict(request.environment),
        git_name=identity.name,
        git_email=identity.email,
        git_branch=identity.branch,
    )


def _run(invocation: "Invocation", client: "ControlClient", request: LaunchRequest) -> tuple[str, dict[str, Any]]:
    """Start the sandbox and carry its streams to its end; return the session and how it ended."""
    if request.network == "open":
        invocation.output.note(
            "The network of this sandbox is OPEN: the agent reaches everything this machine reaches.", style="bold red"
        )
    try:
        with invocation.output.progress("Starting the sandbox") as waiting, told_of_a_copy(invocation, waiting):
            started = client.post("/v1/sandboxes", body=request.as_json(), patient=True)
    except KeyboardInterrupt:
        with invocation.output.progress("Ending what was begun"):
            problem = given_up(client)
        raise problem from None
    for note in started["notes"]:
        invocation.output.note(note, style="bold")
    session = str(started["id"])
    return session, attach(client, session, raw=request.terminal)


def _tell_outcome(invocation: "Invocation", outcome: Mapping[str, Any]) -> None:
    for path in outcome.get("new_below", ()):
        invocation.output.note(
            f"{one_line(path)} is new or changed, and tools of yours obey it there. Look at it first."
        )
    for what in outcome.get("not_looked_at", ()):
        invocation.output.note(f"Not looked at, so there may be more that your tools obey: {one_line(what)}.")
    if outcome.get("ended_because"):
        invocation.output.note(f"The sandbox was ended: {one_line(outcome['ended_because'])}.")
    if outcome.get("out_of_memory"):
        invocation.output.note("It ran out of memory; --memory gives it more.")
    if outcome.get("problem"):
        invocation.output.note(one_line(outcome["problem"]))


def _decide(invocation: "Invocation", client: "ControlClient", session: str, wish: str | None) -> dict[str, Any] | None:
    """Decide about what the agent changed. Whatever comes of it, the launch ends with the agent's exit code."""
    try:
        return decide_at_the_end(invocation, client, session, wish)
    except CliFailure as failure:
        invocation.output.failure(failure)
        invocation.output.note(how_to_decide(session))
        return {"problem": failure.envelope()["error"]}
    except KeyboardInterrupt:
        invocation.output.note(how_to_decide(session))
        return {"problem": {"message": "interrupted; look at what landed with the log: aileron audit list"}}
