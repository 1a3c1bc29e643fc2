"""Settles a landing that was cut off because the daemon ended: first its files, and if they landed, its commits."""

import structlog

from daemon.core.failures import Failure
from daemon.core.named_errors import in_words
from daemon.workspaces.carrying_out import Files
from daemon.workspaces.commits.committing import Commits
from daemon.workspaces.last_landing import said_of_cut
from daemon.workspaces.layers.layer import Layer

_log = structlog.get_logger("daemon.workspaces")


async def settle_cut(layer: Layer, files: Files, commits: Commits) -> str:
    """Undo or finish a landing that was cut off, and return what became of it; empty if none was cut off.

    To be called at the start of the daemon, before anything may land. Raises nothing: what cannot be settled is said.
    """
    cut = await files.recover(layer, settled=lambda found: commits.underway.files_settled(layer, found))
    await commits.unlock(layer)
    coming, outcome, problem = None, None, ""
    try:
        coming = await commits.underway.read(layer)
        if coming is not None and coming.files_landed and not cut.problem:
            outcome = await commits.finish(layer, coming)
        else:
            await commits.underway.call_off(layer)
    except OSError as failed:
        problem = f"{in_words(failed)}."  # what is written down stays for the next start
    except Failure as failed:
        problem = failed.message
        await commits.underway.call_off(layer)
    said = said_of_cut(cut, coming, commits=outcome, problem=problem)
    if said:
        _log.warning("a landing was cut off when an earlier daemon ended", session=layer.session, outcome=said)
    return said
