"""Looks at the files of layers, holding the person's folder open meanwhile. Everything here blocks; use a thread."""

from collections.abc import Sequence

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.opening import read_below, reopen
from daemon.workspaces.looking import changes as looking
from daemon.workspaces.looking import differences as comparing
from daemon.workspaces.looking.differences import FileDifference
from daemon.workspaces.looking.overview import grouped
from daemon.workspaces.reading import opened_top
from daemon.workspaces.values import Change, Changes

_MOST_CONTENT = 64 * 1024**2


def look(layer: Layer) -> Changes:
    """Return what differs between the agent's side and the person's; raise Failure if that folder is another one."""
    with reopen(layer.work) as person:
        return looking.look(layer, person.descriptor)


def compare(layer: Layer, changes: Sequence[Change], *, lines: bool = True) -> list[FileDifference]:
    """Return what is different in each of some changes, what asks for the most care first; or only count lines."""
    ordered = [each for group in grouped(changes).values() for each in group]
    with reopen(layer.work) as person:
        return comparing.differences(layer, person.descriptor, ordered, lines=lines)


def content(layer: Layer, path: str) -> bytes:
    """Return a regular file of the agent's side, or raise Failure."""
    with opened_top(layer.upper(layer.work)) as agent:
        found = read_below(agent, path, most=_MOST_CONTENT)
    if found is None:
        message = f"The agent has no regular file at {path[:200]!r}, or it is larger than {_MOST_CONTENT >> 20} MiB."
        raise Failure(FailureClass.NOT_FOUND, message, boundary=Boundary.USER)
    return found
