"""Which session a person means: a full id, or any beginning or end of one that only one session has."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.core.ids import IdPrefix, is_id
from daemon.core.wire_paths import to_wire

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_PREFIX = f"{IdPrefix.SESSION.value}_"
_MOST = 1000
_SHOWN = 5


def find_session(client: "ControlClient", text: str, *, with_workspace: bool = True) -> str:
    """Return the id of the session that a text means; only of those with a workspace, unless told otherwise."""
    if is_id(text, IdPrefix.SESSION):
        return text
    known = {str(item["session"]) for item in client.get("/v1/workspaces")["items"]}
    fitting = sorted(each for each in known if _is_meant(each, text))
    if not fitting or not with_workspace:
        # Also a session whose workspace another one resumed: its id goes on to name that.
        known |= {str(item["id"]) for item in client.get("/v1/sessions", limit=_MOST)["items"]}
        fitting = sorted(each for each in known if _is_meant(each, text))
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        what = "session with a workspace" if with_workspace else "session"
        raise CliFailure(
            f"there is no {what} whose id begins or ends with {text!r}", remedy="See them with: aileron session list"
        )
    more = "" if len(fitting) <= _SHOWN else f" and {len(fitting) - _SHOWN} more"
    raise CliFailure.usage(
        f"{text!r} means more than one session: {', '.join(fitting[:_SHOWN])}{more}",
        remedy="Write more of the id; the end of it tells sessions apart best.",
    )


def as_named(paths: Iterable[str] | None) -> list[str]:
    """Return paths of the command line as the daemon writes them: a name that is not UTF-8 has a form of its own."""
    return [to_wire(path) if any("\ud800" <= each <= "\udfff" for each in path) else path for path in paths or ()]


def short(session: str) -> str:
    """Return the end of an id, which is enough to name a session."""
    return session[-8:]


def _is_meant(session: str, text: str) -> bool:
    if not text.removeprefix(_PREFIX):
        return False
    return session.startswith(text) or session.removeprefix(_PREFIX).startswith(text) or session.endswith(text)
