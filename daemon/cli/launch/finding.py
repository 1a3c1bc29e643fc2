"""Finds an agent on this machine, and reads the files of the person that the plan for it needs."""

import difflib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.failure import CliFailure
from launchers.agents import AGENTS, Agent

_VERSION_SECONDS = 30
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """An agent that is installed here."""

    agent: Agent
    executable: str
    version: tuple[int, ...]


def known(name: str) -> Agent:
    """Return the agent of a name; raise CliFailure with the nearest name for another one."""
    agent = AGENTS.get(name)
    if agent is None:
        near = difflib.get_close_matches(name.lower(), AGENTS, 1, 0.4)
        remedy = f"Did you mean {near[0]}? " if near else ""
        raise CliFailure.usage(f"there is no agent {name!r}", remedy=f"{remedy}Agents: {', '.join(AGENTS)}.")
    return agent


def find(agent: Agent, environ: Mapping[str, str]) -> FoundAgent:
    """Return where an agent is installed and in which version, or say how to get it."""
    places = (shutil.which(name, path=environ.get("PATH")) for name in agent.executables)
    executable = next((place for place in places if place is not None), None)
    if executable is None:
        raise CliFailure(
            f"{agent.title} is not installed: no {' or '.join(agent.executables)} on the PATH",
            remedy=f"Install it: {agent.install}",
        )
    said = _ask_version(agent, executable, environ)
    version = agent.read_version(said)
    if version is None:
        raise CliFailure(
            f"{executable} does not say which version it is: {said.strip()[:200]!r}",
            remedy=f"Is that {agent.title}? Install it: {agent.install}",
        )
    if version < agent.oldest:
        needed, there = (".".join(map(str, numbers)) for numbers in (agent.oldest, version))
        raise CliFailure(
            f"{agent.title} {there} is too old; Aileron works with {needed} and newer", remedy=f"Run: {agent.install}"
        )
    return FoundAgent(agent, executable, version)


def _ask_version(agent: Agent, executable: str, environ: Mapping[str, str]) -> str:
    try:
        asked = subprocess.run(
            [executable, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CliFailure(
            f"{executable} --version did not answer in {_VERSION_SECONDS} s", remedy=f"Does it run? {agent.install}"
        ) from None
    except OSError as problem:
        raise CliFailure(
            f"{executable} cannot be run: {problem.strerror}", remedy=f"Install it anew: {agent.install}"
        ) from problem
    return asked.stdout


def read_files(agent: Agent, home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the text of those files that the agent's plan needs and that exist."""
    found = {}
    for name in agent.reads:
        path = _place(agent, home, environ, name)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise CliFailure(f"{path} has more than {_MOST_BYTES} bytes, so it is not read")
            found[name] = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as problem:
            raise CliFailure(f"{path} cannot be read: {problem}") from problem
    return found


def list_entries(agent: Agent, home: Path, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names in those folders that the agent's plan needs to know."""
    names: set[str] = set()
    for name in agent.looks_into:
        folder = _place(agent, home, environ, name)
        if folder.is_dir():
            names.update(entry.name for entry in folder.iterdir())
    return frozenset(names)


def _place(agent: Agent, home: Path, environ: Mapping[str, str], name: str) -> Path:
    for variable, folder in agent.moved_by:
        if environ.get(variable) and (name == folder or name.startswith(f"{folder}/")):
            return Path(environ[variable]) / name[len(folder) :].lstrip("/")
    return home / name
