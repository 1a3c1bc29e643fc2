"""Puts the room together: the installed actions, and their kind of tool."""

from dataclasses import dataclass
from pathlib import Path

from daemon.base.clock import Clock
from daemon.connectors.service import ConnectorService
from daemon.tools.actions.catalog import ActionCatalog
from daemon.tools.actions.provider import ActionProvider


@dataclass(frozen=True, slots=True)
class Actions:
    """What this room offers."""

    catalog: ActionCatalog
    provider: ActionProvider


def build(*, folder: Path, connectors: ConnectorService, clock: Clock) -> Actions:
    """Join the actions of a folder to the connectors that they call."""
    catalog = ActionCatalog(folder=folder)
    return Actions(catalog, ActionProvider(catalog=catalog, connectors=connectors, clock=clock))
