"""Whether an action fits the connectors it names, for the person who is writing it."""

from collections.abc import Sequence

from daemon.connectors.service import ConnectorService
from daemon.core.action import Action, ConnectorRequirement
from daemon.core.capabilities import validate_against_manifest
from daemon.core.failures import Failure


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
