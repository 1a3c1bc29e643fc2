"""The question at the end of a launch: whether what the agent did lands. Enter, Ctrl-C and no answer mean no."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.landing.finding import short
from daemon.cli.landing.seen import Seen
from daemon.cli.landing.shown import how_to_decide, shown_path, write_outcome, write_seen
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_MOST_LISTED = 20
_MOST_ASKED = 20
_YES = ("y", "yes")


def decide_at_the_end(
    invocation: "Invocation", client: "ControlClient", session: str, wish: str | None
) -> dict[str, Any] | None:
    """Decide about a workspace as the person wished, or asks for; return what is told of it, None if nothing changed.

    Without a wish, a person at a terminal is asked; where nobody sits there, a repository gets a branch, and of
    another folder everything is kept in its layer.
    """
    chosen = wish or ("ask" if invocation.prompts.interactive else None)
    changes = _changes(client, session, unseen=not invocation.prompts.interactive)
    if changes is None:
        return None
    if chosen is None:
        chosen = "branch" if changes["repository"] else "never"
    seen = Seen.of(client, changes, with_commits=True if chosen == "branch" and changes["repository"] else None)
    if seen.is_empty:
        return None
    told: dict[str, Any] = {"summary": seen.summary(), "asked": chosen == "ask", "outcome": None}
    told |= {"files": _files(seen), "commits": seen.commits}
    write = invocation.output.note
    if chosen == "never":
        write(f"{seen.summary()}. {how_to_decide(session)}")
        return told
    if chosen == "ask":
        told["outcome"] = ask_and_land(invocation, client, seen)
    else:
        told["outcome"] = land(client, seen, mode=chosen, how="auto" if chosen == "auto" else "option")
    if told["outcome"] is None:
        write(how_to_decide(session))
    else:
        write_outcome(write, told["outcome"])
        if told["outcome"]["left"] or told["outcome"]["kept_aside"]:
            write(f"What was left stays in the workspace: aileron session diff {short(session)}")
    return told


def ask_and_land(
    invocation: "Invocation",
    client: "ControlClient",
    seen: Seen,
    *,
    paths: list[str] | None = None,
    branch: str | None = None,
) -> dict[str, Any] | None:
    """Show what changed, ask once, and ask of each thing that would run later; return None for no."""
    write = invocation.output.note
    write_seen(write, seen.only(paths), most=_MOST_LISTED)
    if not _is_wanted(
        invocation, f"{seen.only(paths).summary()}. Land?", lambda: page_difference(invocation, client, seen, paths)
    ):
        return None
    named = _ask_of_each(invocation, seen, paths)
    if named is None:
        return None
    mode = "files" if branch is None else "branch"
    name = "" if branch in (None, "-") else str(branch)
    return land(client, seen, mode=mode, how="question", paths=paths, yes_to=named, branch=name)


def land(
    client: "ControlClient",
    seen: Seen,
    *,
    mode: str,
    how: str,
    paths: list[str] | None = None,
    yes_to: list[str] | None = None,
    branch: str = "",
) -> dict[str, Any]:
    """Send a decision about what was seen."""
    body = seen.decision(mode=mode, how=how, paths=paths, yes_to=yes_to or (), branch=branch)
    answer: dict[str, Any] = client.post("/v1/workspaces/{}/land", seen.session, body=body, patient=True)
    return answer


def page_difference(
    invocation: "Invocation", client: "ControlClient", seen: Seen, paths: list[str] | None = None
) -> None:
    """Show the difference, page by page on a terminal."""
    from daemon.cli.landing.paging import show_difference

    answer = client.post("/v1/workspaces/{}/difference", seen.session, body={"paths": paths or []}, patient=True)
    if answer["plan"] != seen.changes["plan"]:
        raise CliFailure("files were changed while you looked; nothing was decided", remedy="Look again.")
    show_difference(invocation, answer["lines"])


def _is_wanted(invocation: "Invocation", question: str, show: Callable[[], None]) -> bool:
    while True:
        answer = invocation.prompts.answer(f"{question} [y/N/diff] ")
        if answer in ("d", "diff"):
            show()
            continue
        return answer in _YES


def _ask_of_each(invocation: "Invocation", seen: Seen, paths: list[str] | None) -> list[str] | None:
    """Return the paths that were said yes to by themselves; None if the person broke off."""
    asked = seen.only(paths).later
    if len(asked) > _MOST_ASKED:
        invocation.output.note(
            f"{len(asked)} files would run later, too many to be asked one by one. None of them lands now; name those "
            f"you want: aileron session land {short(seen.session)} --yes-to PATH"
        )
        return []
    named: list[str] = []
    for each in asked:
        why = one_line("; ".join(each["later"]))
        answer = invocation.prompts.answer(f"Land {shown_path(each)} ({why})? [y/N] ")
        if answer is None:
            invocation.output.note("Nothing was landed.")
            return None
        if answer in _YES:
            named.append(str(each["path"]))
    return named


def _changes(client: "ControlClient", session: str, *, unseen: bool) -> dict[str, Any] | None:
    """Return the changes; None if there is no workspace any more, because nothing was ever written to it."""
    try:
        answer: dict[str, Any] = client.get_patiently("/v1/workspaces/{}/changes", session, unseen=unseen or None)
    except CliFailure as failure:
        if failure.failure_class != "not_found":
            raise
        return None
    return answer


def _files(seen: Seen) -> list[dict[str, Any]]:
    return [{name: each[name] for name in ("path", "act", "later", "conflict", "refused")} for each in seen.items]
