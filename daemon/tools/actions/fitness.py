"""Whether an action fits the connectors it names: for the person who is writing it, and wherever its state is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from daemon.connectors.service import ConnectorService
from daemon.core.action import Action, ConnectorRequirement
from daemon.core.capabilities import validate_against_manifest
from daemon.core.failures import Failure, FailureClass
from daemon.tools.actions.catalog import InstalledAction


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps an action from running, and the command that helps, if there is one."""

    message: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What would become of a call now.

    ready      it would run, or ask
    locked     it would, once the vault is unlocked
    blocked    something that it needs is gone, is another or is not allowed: a connector, its signature, a binding,
               the address that it names
    disabled   a person has switched it off
    broken     its file breaks a rule
    """

    state: Literal["ready", "locked", "blocked", "disabled", "broken"]
    problems: tuple[Problem, ...] = ()


async def readiness(connectors: ConnectorService, entry: InstalledAction) -> Readiness:
    """Look at an installed action as a call would, and touch nothing."""
    if entry.action is None:
        return Readiness("broken", (Problem(str(entry.problem)),))
    if not entry.enabled:
        return Readiness("disabled")
    problems: list[Problem] = []
    locked = False
    for requirement in entry.action.requires:
        try:
            manifest = await connectors.check(requirement)
            problems += [Problem(text) for text in validate_against_manifest(entry.action, manifest)]
            connectors.check_reach(manifest)
            connectors.account(manifest)
        except Failure as failure:
            if failure.failure_class is FailureClass.VAULT_LOCKED:
                locked = True
                continue
            command = str(failure.details.get("command", ""))
            problems.append(Problem(failure.message, "" if command in failure.message else command))
    if problems:
        return Readiness("blocked", tuple(problems))
    return Readiness("locked" if locked else "ready")


async def problems_with(
    connectors: ConnectorService, requires: Sequence[ConnectorRequirement], action: Action | None
) -> list[str]:
    """Return what keeps an action from running with the connectors that are installed.

    Of a file that is not well-formed there are only the requirements that could be read.
    """
    problems: list[str] = []
    for requirement in requires:
        try:
            manifest = await connectors.check(requirement)
            connectors.check_reach(manifest)
        except Failure as failure:
            problems.append(failure.message)
        else:
            problems.extend(() if action is None else validate_against_manifest(action, manifest))
    return problems
