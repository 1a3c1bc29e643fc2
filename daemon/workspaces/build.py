"""Puts the room together: the layers of agents, and the service through which a decision about one is carried out."""

from collections.abc import Sequence
from functools import partial

import structlog

from daemon.audit.log import AuditLog
from daemon.base.clock import IdSource
from daemon.base.faults import FaultPoints
from daemon.core.ids import IdPrefix
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits.commits import CheckBounds
from daemon.workspaces.commits.committing import Commits, Packer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.service import Workspaces

_log = structlog.get_logger("daemon.workspaces")


async def build(
    *,
    layers: Layers,
    packer: Packer,
    pack_bytes: int,
    auto_yes: Sequence[str],
    audit: AuditLog,
    ids: IdSource,
    faults: FaultPoints,
) -> Workspaces:
    """Return the service that decisions go through, after what an earlier daemon was cut off in was settled.

    Nothing lands before that: a landing that is half done must be undone or finished first.
    """
    commits = Commits(
        layers=layers,
        packer=packer,
        audit=audit,
        auto_yes=auto_yes,
        bounds=CheckBounds(pack_bytes=pack_bytes),
        faults=faults,
    )
    files = Files(layers=layers, audit=audit, faults=faults, draw_id=partial(ids.new, IdPrefix.AUDIT))
    workspaces = Workspaces(layers=layers, files=files, commits=commits, auto_yes=auto_yes)
    ended = await workspaces.take_up()
    if ended:
        _log.warning("workspaces of an earlier daemon were still open; they are kept", count=ended)
    return workspaces
