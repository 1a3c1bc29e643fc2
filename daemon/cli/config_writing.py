"""Writes the settings file, whole or not at all, and has a daemon that runs take over what it can."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.base.settings import Settings, parse_source, settings_from
from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.launch.config_file import ConfigFile

Change = Callable[[str, str], str]
"""Makes the new text of a file from the old one and the name of the file; raises SettingsError."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a change."""

    file: str
    written: bool
    at_once: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    runs: bool = False
    problem: str | None = None
    """Why the daemon that runs has not taken it over."""

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` has it."""
        return {
            "file": self.file,
            "written": self.written,
            "at_once": list(self.at_once),
            "at_next_start": list(self.later),
            "problem": self.problem,
        }

    def sentences(self) -> list[str]:
        """Return what a person must know."""
        if not self.written:
            return [f"Nothing changed in {self.file}."]
        said = [f"Written: {self.file}"]
        if self.problem is not None:
            said.append(f"The daemon has not taken it over: {self.problem} It holds at the next start.")
        elif not self.runs:
            said.append("The daemon does not run; it holds when it starts.")
        if self.at_once:
            said.append(f"In effect at once: {', '.join(self.at_once)}.")
        if self.later:
            said.append(f"In effect at the next start: {', '.join(self.later)}. Restart it with: aileron stop")
        return said


def rewrite(invocation: Invocation, change: Change) -> Done:
    """Change the file and have it taken over; raises SettingsError and CliFailure, and then the file is as it was.

    A change of a rule for approvals goes into the audit log, so for that the daemon is started before.
    """
    home = invocation.home()
    file = ConfigFile.read(home.config_path)
    name, text = str(file.path), file.text
    new = change(text, name)
    wanted = settings_from(parse_source(new, file=name), {})
    if new == text:
        return Done(name, written=False)
    client = invocation.connect() if _decides(text, wanted, name) else invocation.connect_if_running()
    if client is None:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.replace(new, keep=False)
        return Done(name, written=True)
    with client:
        file.replace(new, keep=False)
        try:
            told = client.post("/v1/settings/take-over")
        except CliFailure as failure:
            return Done(name, written=True, runs=True, problem=f"{failure.message}")
    return Done(name, written=True, at_once=tuple(told["at_once"]), later=tuple(told["at_next_start"]), runs=True)


def _decides(text: str, wanted: Settings, name: str) -> bool:
    """Say whether other calls would run without a person than before. A file that was wrong decided nothing."""
    from daemon.base.settings import SettingsError

    try:
        before = settings_from(parse_source(text, file=name), {}).approvals
    except SettingsError:
        return False
    return before != wanted.approvals
