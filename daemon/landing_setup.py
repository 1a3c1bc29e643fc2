"""Joins what landing needs: layers and decisions on one side, the container that packs commits on the other."""

from functools import partial

import structlog

from daemon.audit.log import AuditLog
from daemon.base.clock import IdSource
from daemon.base.faults import FaultPoints
from daemon.base.settings import Settings
from daemon.core.ids import IdPrefix
from daemon.sandbox.packing import Packing
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits import CheckBounds
from daemon.workspaces.committing import Commits
from daemon.workspaces.layers import Layers
from daemon.workspaces.service import Workspaces

_log = structlog.get_logger("daemon")


async def start_workspaces(
    settings: Settings, *, packing: Packing, layers: Layers, audit: AuditLog, ids: IdSource, faults: FaultPoints
) -> Workspaces:
    """Return the service that decisions go through, after what an earlier daemon was cut off in was settled.

    Nothing lands before that: a landing that is half done must be undone or finished first.
    """
    commits = Commits(
        layers=layers,
        packer=packing,
        audit=audit,
        auto_yes=settings.workspace.auto_yes,
        bounds=CheckBounds(pack_bytes=settings.workspace.pack),
        faults=faults,
    )
    files = Files(layers=layers, audit=audit, faults=faults, draw_id=partial(ids.new, IdPrefix.AUDIT))
    workspaces = Workspaces(layers=layers, files=files, commits=commits, auto_yes=settings.workspace.auto_yes)
    ended = await workspaces.take_up()
    if ended:
        _log.warning("workspaces of an earlier daemon were still open; they are kept", count=ended)
    return workspaces
