"""`aileron logs`: the daemon's own log. What agents asked for and what was done is in `aileron audit`."""

import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from daemon.cli.invocation import Invocation
from daemon.cli.options import JsonOption
from daemon.cli.rendering import neutralise, one_line

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_PAUSE_SECONDS = 0.2
_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}
_OWN_PLACE = frozenset({"timestamp", "level", "logger", "message", "exception"})


@app.command()
def logs(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="NUMBER", min=0, max=1_000_000, help="So many of the last lines.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Print the daemon's own log.

    It lies in logs/daemon.jsonl in the Aileron home, also when the daemon does not run, and holds no secret. What
    agents asked for and what was done is in the audit log: aileron audit list.
    """
    invocation = Invocation.of(ctx, as_json=as_json)
    from daemon.cli.log_files import Follower, last_lines
    from daemon.cli.log_files import follow as follow_log

    path = invocation.home().log_path
    follower = Follower(path)
    if follow:
        follower.begin()
    known = last_lines(path, lines)
    for line in known:
        _write(invocation, line)
    if not known and lines and not follow:
        invocation.output.note(f"No daemon has written to {path} yet.", style="dim")
    if follow:
        try:
            for line in follow_log(follower, pause=lambda: time.sleep(_PAUSE_SECONDS)):
                _write(invocation, line)
        finally:
            follower.close()


def _write(invocation: Invocation, line: str) -> None:
    if invocation.as_json:
        invocation.output.line(neutralise(line))
        return
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):  # not of ours, or cut off when the disk was full
        invocation.output.line(neutralise(line))
        return
    level = str(entry.get("level", ""))
    invocation.output.line(_in_words(entry, level, local=invocation.output.terminal), style=_STYLES.get(level, ""))
    if isinstance(entry.get("exception"), str):
        for part in neutralise(entry["exception"], multiline=True).split("\n"):
            invocation.output.line(f"    {part}", style="dim")


def _in_words(entry: dict[str, Any], level: str, *, local: bool) -> str:
    more = [f"{one_line(name)}={one_line(value)}" for name, value in entry.items() if name not in _OWN_PLACE]
    parts = [_moment(entry.get("timestamp"), local=local), f"{one_line(level):<7}", one_line(entry.get("message"))]
    return " ".join([*parts, *more, f"({one_line(entry.get('logger'))})"])


def _moment(text: Any, *, local: bool) -> str:
    """Return a time as it is, or on a terminal as the clock on the wall shows it."""
    if local and isinstance(text, str):
        try:
            return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        except ValueError:
            return one_line(text)
    return one_line(text)
