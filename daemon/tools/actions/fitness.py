"""Whether an action fits the connectors it names, for the person who is writing it."""

from daemon.connectors.service import ConnectorService
from daemon.core.action import Action
from daemon.core.capabilities import validate_against_manifest
from daemon.core.failures import Failure


async def problems_with(connectors: ConnectorService, action: Action) -> list[str]:
    """Return what keeps a well-formed action from running with the connectors that are installed."""
    problems: list[str] = []
    for requirement in action.requires:
        try:
            manifest = await connectors.check(requirement)
        except Failure as failure:
            problems.append(failure.message)
        else:
            problems.extend(validate_against_manifest(action, manifest))
    return problems
