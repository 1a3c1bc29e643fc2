"""Which session a person means: a full id, or any part of one that only one session has."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from daemon.cli.ids import fits, only_one, short
from daemon.core.ids import IdPrefix, is_id
from daemon.core.wire_paths import to_wire

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

__all__ = ["as_named", "find_session", "short"]

_MOST = 1000


def find_session(client: "ControlClient", text: str, *, with_workspace: bool = True) -> str:
    """Return the id of the session that a text means; only of those with a workspace, unless told otherwise."""
    if is_id(text, IdPrefix.SESSION):
        return text
    known = {str(item["session"]) for item in client.get("/v1/workspaces")["items"]}
    if not with_workspace or not any(fits(each, text, IdPrefix.SESSION) for each in known):
        # Also a session whose workspace another one resumed: its id goes on to name that.
        known |= {str(item["id"]) for item in client.get("/v1/sessions", limit=_MOST)["items"]}
    what = "session with a workspace" if with_workspace else "session"
    return only_one(known, text, IdPrefix.SESSION, what=what, remedy="See them with: aileron session list")


def as_named(paths: Iterable[str] | None) -> list[str]:
    """Return paths of the command line as the daemon writes them: a name that is not UTF-8 has a form of its own."""
    return [to_wire(path) if any("\ud800" <= each <= "\udfff" for each in path) else path for path in paths or ()]
