"""Answers to paths of ours with a wrong id in them: they say which thing is not there, and not that the path is not.

A router matches paths after their percent-escapes are undone, so an id with a slash in it, or none at all, fits no
route.
"""

from collections.abc import Collection, Sequence
from urllib.parse import unquote

from starlette.requests import Request

from daemon.core.failures import Failure
from daemon.core.ids import IdPrefix
from daemon.core.missing import no_such

_BY_PARAMETER = {
    "approval_id": ("approval", IdPrefix.APPROVAL),
    "event_id": ("event", IdPrefix.AUDIT),
    "exec_id": ("program in this sandbox", None),
    "sandbox_id": ("sandbox", IdPrefix.SESSION),
    "question_id": ("open question", None),
    "session_id": ("session", IdPrefix.SESSION),
}
_BY_COLLECTION = {"actions": "action", "providers": "model provider", "servers": "server", "tools": "tool"}


def wrong_id(request: Request, paths: Collection[str]) -> Failure | None:
    """Return the failure for a path that has the form of one of these, `/v1/things/{thing_id}`, else None."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    given = [unquote(part) for part in raw.decode("latin-1").split("/")]
    for template in (path.split("/") for path in paths if "{" in path):
        found = _parameter(template, given)
        if found is not None:
            return of_parameter(template[2], *found)
    return None


def of_parameter(collection: str, parameter: str, text: str) -> Failure:
    """Return the failure for the value of a parameter in a path."""
    what, prefix = _BY_PARAMETER.get(parameter, (_BY_COLLECTION.get(collection, "such thing"), None))
    return no_such(what, text, prefix=prefix)


def _parameter(template: Sequence[str], given: Sequence[str]) -> tuple[str, str] | None:
    """Return the name and the value of the first parameter, if the other parts of the path are as they must be."""
    if len(template) != len(given):
        return None
    found = None
    for wanted, part in zip(template, given, strict=True):
        if wanted.startswith("{"):
            found = found or (wanted.strip("{}"), part)
        elif wanted != part:
            return None
    return found
