"""`aileron status`: what the daemon is doing, without starting it."""

from typing import Any

import typer

from daemon.cli.failure import ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.moments import span
from daemon.cli.options import JsonOption
from daemon.cli.rendering import one_line
from daemon.core.quantities import readable_size

_ACTIONS = {
    "ready": "ready",
    "locked": "waiting for the vault",
    "blocked": "blocked",
    "disabled": "disabled",
    "broken": "broken",
}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show what the daemon is doing.

    The daemon is not started for this: exit code 3 says that it does not run.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    client = invocation.connect_if_running()
    if client is None:
        if as_json:
            invocation.output.json({"running": False, "home": str(invocation.home().path)})
        else:
            invocation.output.line(f"The daemon does not run (home {invocation.home().path}).")
            invocation.output.note("It starts by itself with the next command that needs it.", style="dim")
        raise typer.Exit(ExitCode.NOT_RUNNING)
    with client:
        answer = client.get("/v1/status")
    if as_json:
        invocation.output.json({"running": True, **answer})
    else:
        show(invocation, answer)


def show(invocation: Invocation, answer: dict[str, Any]) -> None:
    """Write the daemon's status for a person."""
    vault, audit, actions = answer["vault"], answer["audit"], answer["actions"]
    state = vault["state"]
    if state == "unlocked" and vault.get("auto_lock_seconds"):
        state += f" (locks after {span(vault['auto_lock_seconds'])} without use)"
    log = f"{audit['head_seq']} events" if audit["available"] else f"NOT WRITABLE: {audit['reason']}"
    if audit.get("damaged"):
        log = f"DAMAGED, so nothing runs: {audit['reason']}"
    storage = answer["storage"]
    taken = f"{readable_size(storage['used_bytes'])} of {readable_size(storage['budget_bytes'])}"
    if storage["state"] != "ok":
        taken += " (FULL: nothing new is begun)" if storage["state"] == "full" else " (nearly full)"
    # A daemon of an older version does not tell the ready ones from the others that are enabled.
    kinds = {"ready": actions["enabled"], **actions}
    counts = ", ".join(f"{kinds[kind]} {word}" for kind, word in _ACTIONS.items() if kinds.get(kind) or kind == "ready")
    invocation.output.fields(
        [
            ("daemon", f"version {answer['version']}, pid {answer['pid']}, up {span(answer['uptime_seconds'])}"),
            ("home", answer["home"]),
            ("control API", answer["control_url"]),
            ("agent API", answer["agent_url"]),
            ("vault", state),
            ("audit log", log),
            ("log budget", taken),
            ("approvals", f"{answer['approvals']['pending']} waiting for you"),
            ("questions", f"{_open_questions(answer)} waiting for you"),
            ("runs", f"{answer['runs']['active']} active"),
            ("sessions", f"{answer['sessions']['active']} active"),
            ("actions", counts),
            ("connectors", str(answer["connectors"])),
            ("servers", _servers(answer.get("servers"))),
        ]
    )
    if servers := answer.get("servers"):  # a daemon of an older version has none
        _write_servers(invocation, servers)
    if storage["state"] != "ok":
        invocation.output.note("Raise [audit] budget in config.toml, then: aileron stop", style="yellow")
    if actions.get("blocked") or actions["broken"]:
        invocation.output.note("See what an action lacks: aileron action list", style="yellow")
    if audit.get("damaged"):
        invocation.output.note("See all of it with: aileron audit verify", style="bold red")
    if answer["approvals"]["pending"]:
        invocation.output.note("See them with: aileron approval list", style="yellow")
    if _open_questions(answer):
        invocation.output.note("Servers ask you something: aileron question list", style="yellow")


def _open_questions(answer: dict[str, Any]) -> int:
    # A daemon of an older version has none.
    return int(answer.get("questions", {}).get("open", 0))


def _servers(servers: dict[str, Any] | None) -> str:
    return "-" if servers is None else f"{servers['enabled']} enabled, {servers['running']} running"


def _write_servers(invocation: Invocation, servers: dict[str, Any]) -> None:
    if servers["problem"]:
        invocation.output.note(one_line(servers["problem"]), style="red")
    if servers["withheld_tools"]:
        invocation.output.note("Tools of servers wait for you: aileron server list", style="yellow")
