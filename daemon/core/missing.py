"""What is said when a thing is asked for by an id that is not there: pure."""

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.ids import IdPrefix, is_id
from daemon.core.visible import visible

_MOST_SHOWN = 60
_NOUNS = {
    IdPrefix.AUDIT: "an event",
    IdPrefix.APPROVAL: "an approval",
    IdPrefix.SESSION: "a session",
    IdPrefix.EXECUTION: "a run",
    IdPrefix.QUESTION: "a question",
}


def no_such(what: str, text: str, *, prefix: IdPrefix | None = None, remedy: str = "") -> Failure:
    """Return the failure of a wrong id: empty, of another kind of thing, not whole, or of nothing that is there.

    `what` is the thing in one or two words. It never says whether the thing is there for somebody else.
    """
    return Failure(FailureClass.NOT_FOUND, f"{_said(what, text, prefix)} {remedy}".rstrip(), boundary=Boundary.USER)


def _said(what: str, text: str, prefix: IdPrefix | None) -> str:
    if not text:
        return f"The name of the {what} is missing."
    shown = visible(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")
    if prefix is None or is_id(text, prefix):
        return f"There is no {what} {shown!r}."
    other = next((noun for kind, noun in _NOUNS.items() if kind is not prefix and is_id(text, kind)), None)
    if other is not None:
        return f"There is no {what} {shown!r}; that is the id of {other}."
    return f"There is no {what} {shown!r}; a whole id has {prefix.value}_ and 36 characters."
