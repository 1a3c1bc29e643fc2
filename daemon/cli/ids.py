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


def find_question(client: "ControlClient", text: str) -> str:
    """Return the id of the question of a server that a text means, among those that the daemon still knows."""
    if is_id(text, IdPrefix.QUESTION):
        return text
    known = [str(item["id"]) for item in client.get("/v1/questions", limit=_MOST)["items"]]
    remedy = "See them with: aileron question list --all"
    return only_one(known, text, IdPrefix.QUESTION, what="question", remedy=remedy)


def find_sandbox(client: "ControlClient", text: str) -> str:
    """Return the session whose sandbox a text means; raise CliFailure that says so if that one has ended."""
    running = [str(item["id"]) for item in client.get("/v1/sandboxes")["items"]]
    if not any(fits(each, text, IdPrefix.SESSION) for each in running):
        ended = find_any_session(client, text)
        raise CliFailure(
            f"the session {ended} has no sandbox, or its sandbox has ended",
            remedy=f"What it printed is not kept. What it did: aileron audit list --session {ended}; what it changed: "
            f"aileron session diff {short(ended)}; sandboxes that run: aileron sandbox list",
            failure_class="not_found",
        )
    remedy = "See them with: aileron sandbox list"
    return only_one(running, text, IdPrefix.SESSION, what="running sandbox", remedy=remedy)


def find_any_session(client: "ControlClient", text: str) -> str:
    """Return the id of the session that a text means, among the newest thousand."""
    if is_id(text, IdPrefix.SESSION):
        return text
    known = [str(item["id"]) for item in client.get("/v1/sessions", limit=_MOST)["items"]]
    return only_one(known, text, IdPrefix.SESSION, what="session", remedy="See them with: aileron session list")


def find_event(client: "ControlClient", text: str) -> str:
    """Return the id of the event that a text means, among the newest thousand."""
    if is_id(text, IdPrefix.AUDIT):
        return text
    known = [str(item["id"]) for item in client.get("/v1/audit", limit=_MOST, newest_first=True)["items"]]
    remedy = "Parts of an id are looked for among the newest thousand events. See them with: aileron audit list"
    return only_one(known, text, IdPrefix.AUDIT, what="event", remedy=remedy)
