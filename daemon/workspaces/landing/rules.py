"""What never lands, whoever chose it: rules over paths and links, checked again here whatever was said before."""

import os
from collections.abc import Iterable

from daemon.workspaces.looking.git_names import is_git_name
from daemon.workspaces.looking.runs_later import link_leads_out
from daemon.workspaces.values import Change, Entry, Kind

STAGING = ".aileron-landing-"
"""How the names of our own folders begin, in which a landing prepares what it puts into place."""

_LONGEST_PATH = 4095
_LONGEST_NAME = 255
_DEEPEST = 128


def never_lands(change: Change) -> str:
    """Return why a change never lands; empty if it may."""
    if change.refused:
        return change.refused
    wrong = _wrong_path(change.path)
    if wrong or change.agent is None:
        return wrong
    if change.agent.kind is Kind.OTHER:
        return "it is a device, a fifo or a socket"
    if change.person is not None and change.person.kind is Kind.OTHER:
        return "a device, a fifo or a socket lies there in your folder, and is not replaced"
    if change.agent.kind is Kind.LINK:
        return _wrong_link(change.path, change.agent)
    if change.agent.kind is Kind.FILE and not change.agent.digest:
        return "it could not be read when you looked"
    return ""


def links_among(changes: Iterable[Change]) -> frozenset[str]:
    """Return the paths that would be links after a landing."""
    return frozenset(each.path for each in changes if each.agent is not None and each.agent.kind is Kind.LINK)


def _wrong_path(path: str) -> str:
    names = path.split("/")
    if "\0" in path or any(name in {"", ".", ".."} for name in names):
        return "its path leads out of the folder, or names nothing"
    if any(is_git_name(name) for name in names):
        return "it lies in a folder of git's own, or in one that is taken for it"
    if any(name.startswith(STAGING) for name in names):
        return f"names that begin with {STAGING} are for Aileron itself"
    try:
        raw = [os.fsencode(name) for name in names]
    except UnicodeEncodeError:
        return "its path is no name that a file can have"
    if len(names) > _DEEPEST:
        return f"it lies more than {_DEEPEST} folders deep"
    if sum(map(len, raw)) + len(raw) - 1 > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in raw):
        return "its path is too long"
    return ""


def _wrong_link(path: str, agent: Entry) -> str:
    try:
        os.fsencode(agent.target)
    except UnicodeEncodeError:
        return "it is a link to nowhere"
    if any(is_git_name(name) for name in agent.target.split("/")):
        return "it is a link into a folder of git's own"
    return link_leads_out(path, agent.target)
