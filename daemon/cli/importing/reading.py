"""Finds the files to be looked at, and reads the servers in them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.launch.config_file import ConfigFile
from launchers.importing.forms import FORMS, Found, found_in
from launchers.importing.places import AGENTS, Source, form_of, sources, syntax_of
from launchers.importing.texts import SYNTAXES, Syntax
from launchers.registration.errors import RegistrationError


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file with the servers in it, or with the reason why it is left alone."""

    source: Source
    file: ConfigFile | None
    found: Sequence[Found] = ()
    problem: str | None = None

    @property
    def syntax(self) -> Syntax:
        """Return how it is written."""
        return SYNTAXES[self.source.syntax]


def sources_of(invocation: Invocation, name: str | None) -> list[Source]:
    """Return the files of one agent, of all, or the one file that was named."""
    home = invocation.environ.get("HOME") or str(Path.home())
    environ, macos = invocation.environ, sys.platform == "darwin"
    every = [
        source
        for agent in AGENTS
        for source in sources(agent, home=home, folder=str(Path.cwd()), environ=environ, macos=macos)
    ]
    if name is None or name in AGENTS:
        return [source for source in every if name in {None, source.agent}]
    path = Path(name).expanduser().absolute()
    if (known := next((source for source in every if source.path == str(path)), None)) is not None:
        return [known]
    syntax = syntax_of(str(path))
    if syntax is not None and not path.exists():
        raise CliFailure.usage(f"there is no file {path}", remedy=f"Name one, or one of {', '.join(AGENTS)}.")
    if syntax is None:
        raise CliFailure.usage(
            f"{name} is no agent that is known here, and no file of servers",
            remedy=f"Name one of {', '.join(AGENTS)}, or a file that ends in .json, .jsonc, .toml or .yaml.",
        )
    return [_of_file(path, syntax)]


def read(source: Source) -> ReadFile | None:
    """Read a file; None if it is not there."""
    try:
        file = ConfigFile.read(Path(source.path))
        if file.raw is None:
            return None
        said = SYNTAXES[source.syntax].read(file.text)
    except (CliFailure, RegistrationError) as problem:
        return ReadFile(source, None, problem=str(problem))
    found = found_in(said, FORMS[source.agent], project=source.project)
    try:
        if found:
            file.refuse_what_cannot_be_replaced()
    except CliFailure as problem:
        return ReadFile(source, None, problem=str(problem))
    return ReadFile(source, file, found)


def _of_file(path: Path, syntax: str) -> Source:
    # What people name .json often holds comments; where it holds none, both readers say the same.
    syntax = "jsonc" if syntax == "json" else syntax
    try:
        said = SYNTAXES[syntax].read(ConfigFile.read(path).text)
    except RegistrationError as problem:
        raise CliFailure(f"{path} was left alone: {problem}") from problem
    form = form_of(syntax, said)
    if form is None:
        raise CliFailure(
            f"{path} holds no servers in a form that is known here", remedy="It has mcpServers, servers or mcp in it."
        )
    return Source(form, str(path), syntax)
