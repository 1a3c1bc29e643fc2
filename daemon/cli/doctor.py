"""`aileron doctor`: everything that can be checked, with a remedy for what is not as it should be."""

from typing import Any

import typer

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

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
        checks = [*invocation.connection.local_checks(), *_daemon_checks(invocation)]
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
            checks: list[dict[str, Any]] = client.get("/v1/checks")["items"]
    except CliFailure as failure:
        return [_check("daemon", "failed", failure.message, failure.remedy or "")]
    return [_check("daemon", "ok", f"Version {health['version']} runs (pid {health['pid']})."), *checks]


def _check(name: str, status: str, message: str, remedy: str = "") -> dict[str, Any]:
    return {"name": name, "status": status, "message": message, "remedy": remedy}


def _show(invocation: Invocation, check: dict[str, Any]) -> None:
    mark, style = _MARKS.get(check["status"], (one_line(check["status"]), ""))
    invocation.output.line(f"{mark:<8} {one_line(check['name'])}: {neutralise(check['message'])}", style=style)
    if check["status"] != "ok" and check.get("remedy"):
        invocation.output.line(f"{'':<8} {neutralise(check['remedy'])}")
