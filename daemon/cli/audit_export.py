"""`aileron audit verify FILE`: an export is checked here, without a daemon, a home or a vault."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from daemon.cli.failure import CliFailure, ExitCode
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.audit.exported import ExportReport
    from daemon.cli.invocation import Invocation


def verify_file(
    invocation: "Invocation", file: Path, *, key: Path | None, anchor: dict[str, Any] | None, part: bool
) -> None:
    """Check an export and say what that proves; exit code 1 if anything is wrong with it."""
    from daemon.audit.export import ExportedHead
    from daemon.audit.exported import NoExportError, read_key, verify_export

    began = time.monotonic()
    try:
        anchors = [] if anchor is None else [ExportedHead.from_json(anchor)]
        given = None if key is None else read_key(key)
        with invocation.output.progress(f"Verifying {file}"):
            report = verify_export(file, key=given, anchors=anchors, part=part)
    except NoExportError as problem:
        raise CliFailure.usage(
            str(problem), remedy="Pass what `aileron audit export` and `audit key` wrote."
        ) from problem
    except ValueError as problem:
        raise CliFailure.usage(f"the anchor is not a head: {problem}") from problem
    except OSError as problem:
        name = problem.filename or file
        raise CliFailure.usage(
            f"{name} cannot be read: {problem.strerror}", remedy="Pass a readable file."
        ) from problem
    seconds = time.monotonic() - began
    if invocation.as_json:
        invocation.output.json(_as_json(report, seconds))
    else:
        _show(invocation, report, seconds)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


def _as_json(report: "ExportReport", seconds: float) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "events": report.checked.events,
        "first": report.first,
        "last": report.last,
        "whole": report.whole,
        "signed_to": report.signed_to,
        "signed_by_given_key": report.key_id is not None and report.ok,
        "key_id": report.key_id,
        "head_time": report.head_time,
        "seconds": seconds,
        "problems": [asdict(problem) for problem in report.checked.problems],
        "unvouched": [{"first": first, "last": last} for first, last in report.checked.unvouched],
    }


def _show(invocation: "Invocation", report: "ExportReport", seconds: float) -> None:
    output = invocation.output
    for problem in report.checked.problems:
        output.line(f"{one_line(problem.kind)}: {one_line(problem.message)}", style="red")
    events = f"{report.checked.events} events"
    if not report.ok:
        count = len(report.checked.problems)
        found = "1 problem" if count == 1 else f"{count} problems"
        output.line(f"The export does NOT hold: {found} in {events}.", style="bold red")
        return
    output.line(f"The export is whole: {events} checked in {seconds:.2f} s.", style="green")
    for line in proved(report):
        output.line(line)
    for first, last in report.checked.unvouched:
        output.note(
            f"Events {first} to {last} were found after a power loss: nobody can vouch for them.", style="yellow"
        )


def proved(report: "ExportReport") -> list[str]:
    """Say in words what a check without a problem proves, and what it does not."""
    if report.key_id is None:
        return [
            "Proved: the file fits itself. Nothing in it was changed without all behind it being written anew.",
            "NOT proved: whose log it is. Anybody can write an export anew with a key of their own.",
            "For that, get the log's public key by another way (aileron audit key) and pass it: --key FILE",
        ]
    what = (
        "of the log from its first event" if report.whole else f"of events {report.first} to {report.last} of the log"
    )
    lines = [f"Proved: it is a true copy {what}, signed with the key {report.key_id} up to event {report.signed_to}."]
    if report.signed_to < report.last:
        lines.append(
            f"NOT proved: events {report.signed_to + 1} to {report.last}. No checkpoint in the export lies behind them."
        )
    if report.head_time is not None and report.whole:
        when = one_line(report.head_time)
        lines.append(f"NOT proved: what happened after {when}, and that no other log was kept beside this one.")
    return lines
