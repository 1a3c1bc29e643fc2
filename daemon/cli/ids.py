"""Ids as people write them: any part of one that means a single thing, and a short form to show."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from daemon.cli.failure import CliFailure
from daemon.core.ids import IdPrefix, is_id

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_MOST = 1000
_SHOWN = 5
_SHORT = 8


def short(text: str) -> str:
    """Return the end of an id, which is random and enough to name a thing."""
    return text[-_SHORT:]


def fits(known: str, text: str, prefix: IdPrefix) -> bool:
    """Say whether a text is a part of an id, with or without its prefix. People also type a part of the short form."""
    begin = f"{prefix.value}_"
    part = text.removeprefix(begin)
    if text != part:
        return part != "" and known.startswith(text)
    return part != "" and part in known.removeprefix(begin)


def only_one(known: Iterable[str], text: str, prefix: IdPrefix, *, what: str, remedy: str) -> str:
    """Return the one id that a text means; raise CliFailure for none and for several."""
    fitting = sorted({each for each in known if fits(each, text, prefix)})
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise CliFailure(f"there is no {what} with {text!r} in its id", remedy=remedy, failure_class="not_found")
    more = "" if len(fitting) <= _SHOWN else f" and {len(fitting) - _SHOWN} more"
    raise CliFailure.usage(
        f"{text!r} means more than one {what}: {', '.join(fitting[:_SHOWN])}{more}",
        remedy="Write more of the id; the end of it tells them apart best.",
    )


def find_approval(client: "ControlClient", text: str) -> str:
    """Return the id of the approval that a text means, among the newest thousand."""
    if is_id(text, IdPrefix.APPROVAL):
        return text
    known = [str(item["id"]) for item in client.get("/v1/approvals", limit=_MOST)["items"]]
    remedy = "See them with: aileron approval list --state all"
    return only_one(known, text, IdPrefix.APPROVAL, what="approval", remedy=remedy)


def find_any_session(client: "ControlClient", text: str) -> str:
    """Return the id of the session that a text means, among the newest thousand."""
    if is_id(text, IdPrefix.SESSION):
        return text
    known = [str(item["id"]) for item in client.get("/v1/sessions", limit=_MOST)["items"]]
    return only_one(known, text, IdPrefix.SESSION, what="session", remedy="See them with: aileron session list")
