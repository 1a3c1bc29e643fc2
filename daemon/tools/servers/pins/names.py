"""Names of servers' tools: those that agents call them by, and those that records and rules have. Pure.

Agents add `mcp__aileron__` to a name, and providers of models refuse names of more than 64 characters.
"""

import hashlib
import re
from collections.abc import Callable
from itertools import count

from daemon.core.visible import visible

MOST = 50
_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST}}}")
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_MARK = 6
_RECORDED = 150
_OURS = "("
"""How our own names of what a server offers beside tools begin, such as `(read_resource)`."""


def exposed_name(prefix: str, tool: str, taken: Callable[[str], bool]) -> str:
    """Return the name that agents call a tool by: `prefix__tool`, or its beginning and a part of its hash.

    `taken` says whether a name is that of another tool. It is never given a second time.
    """
    full = f"{prefix}__{tool}"
    if _PLAIN.fullmatch(full) and not taken(full):
        return full
    head = _ODD.sub("_", full)[: MOST - _MARK - 1]
    # Somebody may look for two names with the same six digits, so the hash is drawn again as often as that is needed.
    names = (f"{head}_{_hash(full if number == 0 else f'{full} {number}')[:_MARK]}" for number in count())
    return next(name for name in names if not taken(name))


def record_name(server: str, tool: str) -> str:
    """Return the name that the log, approvals and rules have: `server/tool`, both as they are called there.

    What does not fit into a line of the log is spelled out, and its hash keeps it apart from others.
    """
    if tool.isprintable() and len(tool) <= _RECORDED and not tool.startswith(_OURS):
        return f"{server}/{tool}"
    return f"{server}/{visible(tool)[: _RECORDED - 20].replace(chr(10), ' ').replace(chr(9), ' ')}#{_hash(tool)[:12]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
