"""`aileron launch`: start an agent on this machine, with your actions as its tools and a session of its own."""

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.launching.finding import FoundAgent
    from daemon.cli.launching.options import SandboxOptions
    from launchers.plan import LaunchPlan

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_DAYS_SECONDS = 30 * 86_400
"""A session lives as long as its launcher; this only bounds what a stolen token is good for."""
_COUNTED = 10_000
_OURS = "AILERON_"
_WISHES = ("ask", "auto", "branch", "never")
_WORKSPACES = ("auto", "copy", "live")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def launch(
    ctx: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="claude, codex, goose, opencode or pi.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENTS]...", help="What the agent itself is given.")
    ] = None,
    label: Annotated[str, typer.Option("--label", help="A name for the session, shown in lists.")] = "",
    folder: Annotated[
        Path | None, typer.Option("-C", "--dir", metavar="FOLDER", help="Where the agent works; here, if not given.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="In a container whose only way out is the daemon; the options below need it."),
    ] = False,
    image: Annotated[
        str | None, typer.Option("--image", metavar="IMAGE", help="An image of yours, with the agent mounted in it.")
    ] = None,
    devcontainer: Annotated[
        bool, typer.Option("--devcontainer", help="In the container that the folder's devcontainer.json describes.")
    ] = False,
    program: Annotated[
        str | None, typer.Option("--program", metavar="NAME", help="A program of the image in place of the agent.")
    ] = None,
    network: Annotated[
        str, typer.Option("--network", metavar="internal|open", help="`open` lets the agent reach everything. Loud.")
    ] = "internal",
    variables: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME[=VALUE]", help="Hand a variable in; may be repeated.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="UID[:GID]", help="As whom, if you are root.")] = None,
    memory: Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Such as 4GiB.")] = None,
    cpus: Annotated[float | None, typer.Option("--cpus", metavar="NUMBER", help="Such as 2.")] = None,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="End it after this time, such as 30m; exit code 124."),
    ] = None,
    wish: Annotated[
        str | None,
        typer.Option(
            "--land",
            metavar="ask|auto|branch|never",
            help="What becomes of the agent's work at the end; ask at a terminal, else branch in a repository.",
        ),
    ] = None,
    workspace: Annotated[
        str,
        typer.Option("--workspace", metavar="auto|copy|live", help="`live` mounts the folder itself. Read the docs."),
    ] = "auto",
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="SESSION", help="Go on in the workspace of an earlier session.")
    ] = None,
    build_ca: Annotated[
        Path | None, typer.Option("--build-ca", metavar="FILE", help="Whom to trust, too, if the image must be built.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start an agent with your actions as its tools.

    Runs it in the foreground and ends with its exit code: on this machine with its own configuration as it is, or
    with --sandbox in a container with an empty home. The session ends with the agent. The last line, on stderr, says
    what happened; with --json it is one JSON object.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.launching import finding
    from daemon.cli.launching.misplaced import refuse_misplaced, refuse_without_sandbox

    refuse_misplaced(ctx, agent, arguments or [])
    _check_words(wish, workspace, interactive=invocation.prompts.interactive)
    if folder is not None and not folder.is_dir():
        raise CliFailure.usage(f"{folder} is not a folder")
    known = finding.known(agent)
    given = [*(arguments or [])]
    if given[:1] == ["--"]:
        given = given[1:]  # it says where the agent's own arguments begin, and is none of them
    if sandbox:
        from daemon.cli.launching.options import SandboxOptions
        from daemon.cli.moments import seconds_of

        here = folder or Path.cwd()
        options = SandboxOptions(
            folder=here,
            label=label or f"{agent} in {here.resolve().name}"[:200],
            devcontainer=devcontainer,
            image=image,
            program=program,
            network=network,
            variables=variables or (),
            user=user,
            memory=memory,
            cpus=cpus,
            seconds=None if timeout is None else seconds_of(timeout, option="--timeout"),
            build_ca=build_ca,
            workspace=workspace,
            resume=resume,
            environ=invocation.environ,
        )
        raise typer.Exit(_in_sandbox(invocation, agent, given, options, wish))
    refuse_without_sandbox(ctx)
    found = finding.find(known, invocation.environ)
    with invocation.connect() as client:
        _say_what_will_not_work(invocation, client)
        opened = client.post(
            "/v1/sessions",
            body={
                "kind": "host",
                "label": label or f"{found.agent.name} in {(folder or Path.cwd()).resolve().name}"[:200],
                "owner_pid": os.getpid(),
                "ttl_seconds": _DAYS_SECONDS,
                "capabilities": ["actions:list", "actions:run", "approvals:poll", "llm:proxy"],
            },
        )
        session = str(opened["id"])
        try:
            code = _run(invocation, found, given, opened, client.get("/v1/providers")["items"], folder)
        finally:
            summary = _end(client, session)
    _close(invocation, summary | {"agent": found.agent.name})
    raise typer.Exit(code)


def _check_words(wish: str | None, workspace: str, *, interactive: bool) -> None:
    """Refuse a word that an option does not know before anything is started."""
    for option, word, known in (("--land", wish, _WISHES), ("--workspace", workspace, _WORKSPACES)):
        if word is not None and word not in known:
            raise CliFailure.usage(f"{option} {word}: there is no such way", remedy=f"Write one of: {', '.join(known)}")
    if wish == "ask" and not interactive:
        raise CliFailure.usage(
            "--land ask needs a terminal to ask on; nothing was started", remedy="Write --land auto, branch or never."
        )
    if workspace == "live" and wish is not None:
        raise CliFailure.usage("--workspace live writes to the folder itself, so there is nothing for --land to decide")


def _in_sandbox(
    invocation: Invocation, agent: str, arguments: list[str], options: "SandboxOptions", wish: str | None
) -> int:
    from dataclasses import replace

    from daemon.cli.landing.finding import find_session
    from daemon.cli.launching.sandboxed import launch_in_sandbox

    with invocation.connect() as client:
        _say_what_will_not_work(invocation, client)
        bound = [item["name"] for item in client.get("/v1/providers")["items"] if item["bound"]]
        if not bound and not any("KEY" in name.upper() for name in options.variables):
            invocation.output.note(
                "The vault holds no key of a model, and the container none of yours: "
                "aileron binding setup provider://openai (or anthropic), or hand one in with --env NAME"
            )
        if options.resume is not None:
            options = replace(options, resume=find_session(client, options.resume))
        session, outcome = launch_in_sandbox(invocation, client, agent, arguments, options)
        summary = _end(client, session)
        _tell_outcome(invocation, outcome)
        if options.workspace != "live":
            summary["workspace"] = _settle(invocation, client, session, wish)
    _close(invocation, summary | {"agent": agent, "sandbox": True, "exit_code": int(outcome["code"])})
    return int(outcome["code"])


def _tell_outcome(invocation: Invocation, outcome: Mapping[str, Any]) -> None:
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


def _settle(invocation: Invocation, client: "ControlClient", session: str, wish: str | None) -> dict[str, Any] | None:
    """Decide about what the agent changed. Whatever comes of it, the launch ends with the agent's exit code."""
    from daemon.cli.landing.asking import settle_launch
    from daemon.cli.landing.shown import how_to_decide

    try:
        return settle_launch(invocation, client, session, wish)
    except CliFailure as failure:
        invocation.output.failure(failure)
        invocation.output.note(how_to_decide(session))
        return {"problem": failure.envelope()["error"]}
    except KeyboardInterrupt:
        invocation.output.note(how_to_decide(session))
        return {"problem": {"message": "interrupted; look at what landed with the log: aileron audit list"}}


def _say_what_will_not_work(invocation: Invocation, client: "ControlClient") -> None:
    status = client.get("/v1/status")
    actions = client.get("/v1/actions")["items"]
    state = status["vault"]["state"]
    if state == "locked" and invocation.prompts.interactive:
        passphrase = invocation.prompts.passphrase(None)
        client.post("/v1/vault/unlock", body={"passphrase": passphrase})
    elif state != "unlocked":
        remedy = "aileron vault init" if state == "absent" else "aileron vault unlock"
        invocation.output.note(f"The vault is {state}: actions that need a credential will fail until: {remedy}")
    if not any(item["state"] == "ready" for item in actions):
        invocation.output.note("No action is installed, so the agent gets no tools. Write one: aileron action new NAME")
    asking = [item["name"] for item in actions if item["state"] == "ready" and item["decision"] == "ask"]
    if asking and not invocation.prompts.interactive:
        names = ", ".join(one_line(name) for name in asking[:5]) + (", ..." if len(asking) > 5 else "")
        invocation.output.note(
            f"Nobody sits at this terminal, and {names} will wait for a person: `aileron approval watch` in another "
            "one, or a rule in config.toml."
        )


def _run(
    invocation: Invocation,
    found: "FoundAgent",
    arguments: list[str],
    opened: Mapping[str, Any],
    providers: list[dict[str, Any]],
    folder: Path | None,
) -> int:
    from daemon.cli.launching import finding
    from daemon.cli.launching.child import run_agent
    from daemon.cli.launching.scratch import place, scratch
    from launchers.plan import LaunchContext, LaunchError

    inherited = {name: value for name, value in invocation.environ.items() if not name.startswith(_OURS)}
    home = Path(invocation.environ.get("HOME") or Path.home())
    with scratch(invocation.environ) as place_for_files:
        context = LaunchContext(
            executable=(found.executable,),
            version=found.version,
            arguments=tuple(arguments),
            # -P: a folder of that name where the agent happens to work must not be what runs.
            mcp_command=(sys.executable, "-P", "-m", "aileron_mcp"),
            agent_url=str(opened["agent_url"]),
            token=str(opened["token"]),
            session_id=str(opened["id"]),
            scratch=str(place_for_files),
            home=str(home),
            bound=frozenset(item["name"] for item in providers if item["bound"]),
            environment=inherited,
            existing=finding.read_files(found.agent, home, inherited),
            present=finding.list_entries(found.agent, home, inherited),
        )
        try:
            plan: LaunchPlan = found.agent.plan(context)
        except LaunchError as problem:
            raise CliFailure(str(problem)) from problem
        place(plan.files, place_for_files)
        for note in plan.notes:
            invocation.output.note(note)
        return run_agent(plan.argv, environment=inherited | dict(plan.environment), folder=folder)


def _end(client: "ControlClient", session: str) -> dict[str, Any]:
    """End the session and sum it up; a daemon that is gone ends it by itself when it is back."""
    summary: dict[str, Any] = {"session": session, "ran": None, "approvals": None, "audit_head": None}
    with contextlib.suppress(CliFailure):
        client.post("/v1/sessions/{}/end", session, body={"reason": "the agent ended"})

        def count(kind: str) -> int:
            return len(client.get("/v1/audit", session=session, type=kind, limit=_COUNTED)["items"])

        head = client.get("/v1/audit/head")
        summary |= {
            "ran": count("execution.started"),
            "approvals": count("approval.requested"),
            "audit_head": {"seq": head["seq"], "hash": head["hash"]},
        }
    return summary


def _close(invocation: Invocation, summary: Mapping[str, Any]) -> None:
    if invocation.as_json:
        import json

        invocation.output.note(json.dumps(summary))
        return
    if summary["audit_head"] is None:
        invocation.output.note(f"Session {summary['session']}: the daemon is gone; look with: aileron sessions list")
        return
    head = summary["audit_head"]
    invocation.output.note(
        f"Session {summary['session']} ended: {_counted(summary['ran'], 'action')} run, "
        f"{_counted(summary['approvals'], 'approval')} asked for; audit head {head['seq']} {head['hash']}",
        style="dim",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
