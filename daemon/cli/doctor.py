"""`aileron doctor`: everything that can be checked, with a remedy for what is not as it should be."""

from typing import TYPE_CHECKING, Any

import typer

from daemon.cli.engine_words import NO_PODMAN, PODMAN, in_words
from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


app = typer.Typer(add_completion=False, rich_markup_mode=None)

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "failed": ("FAILED", "bold red")}


@app.command()
def doctor(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Check the installation and say how to repair it.

    Looks from the outside, and through the daemon if it runs; it is not started for this. Exit code 1 if a check
    failed; a warning alone is no failure.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    with invocation.output.progress("Checking"):
        seen = _daemon_checks(invocation)
        # What the daemon has looked at itself is not looked at a second time, in another way.
        names = {check["name"] for check in seen}
        checks = [*(each for each in invocation.connection.local_checks() if each["name"] not in names), *seen]
    failed = any(check["status"] == "failed" for check in checks)
    if as_json:
        invocation.output.json({"ok": not failed, "items": checks})
    else:
        for check in checks:
            _show(invocation, check)
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _daemon_checks(invocation: Invocation) -> list[dict[str, Any]]:
    try:
        client = invocation.connect_if_running()
        if client is None:
            message = "It does not run, so what only it can see was not checked."
            return [_check("daemon", "warning", message, "Start it with `aileron daemon start`, and check again.")]
        with client:
            health = client.get("/healthz")
            checks: list[dict[str, Any]] = client.get_patiently("/v1/checks")["items"]
            around = [_agents(client), _engine(client)]
    except CliFailure as failure:
        return [_check("daemon", "failed", failure.message, failure.remedy or "")]
    return [_check("daemon", "ok", f"Version {health['version']} runs (pid {health['pid']})."), *checks, *around]


def _agents(client: "ControlClient") -> dict[str, Any]:
    """Knock where agents do: that the control API answers says nothing of the other listener."""
    from daemon.lifecycle.spawn import answers

    url = str(client.get("/v1/status")["agent_url"])
    if answers(url):
        return _check("agents' door", "ok", f"Agents on this machine reach the daemon at {url}.")
    return _check("agents' door", "failed", f"No agent reaches the daemon at {url}.", "Run: aileron stop")


def _engine(client: "ControlClient") -> dict[str, Any]:
    """Ask for the engine what `sandbox check` asks, and say the same."""
    try:
        engine = client.get_patiently("/v1/sandbox-engine")
    except CliFailure as failure:
        return _check("docker", "warning", failure.message, failure.remedy or "Only sandboxes need it.")
    if engine["podman"]:
        return _check("docker", "warning", f"{PODMAN[0].upper()}{PODMAN[1:]}.", NO_PODMAN)
    return _check("docker", "ok", " ".join(in_words(engine)))


def _check(name: str, status: str, message: str, remedy: str = "") -> dict[str, Any]:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _show(invocation: Invocation, check: dict[str, Any]) -> None:
    mark, style = _MARKS.get(check["status"], (one_line(check["status"]), ""))
    invocation.output.line(f"{mark:<8} {one_line(check['name'])}: {neutralise(check['message'])}", style=style)
    if check["status"] != "ok" and check.get("remedy"):
        invocation.output.line(f"{'':<8} {neutralise(check['remedy'])}")
