"""Writes what an agent changed, and what became of a decision, for people. Every name in it may be hostile."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daemon.cli.landing.finding import short
from daemon.cli.landing.seen import Seen
from daemon.cli.rendering import one_line

Write = Callable[..., None]
"""Writes one line, with a style."""

_MARKS = {"added": "A", "modified": "M", "deleted": "D"}
_STYLES = {"added": "green", "modified": "", "deleted": "red"}
_MOST_COMMITS = 20
_MOST_LEFT = 50
_NOT_CHOSEN = "it was not chosen"
"""What the daemon says of a path that the person did not name; there may be thousands of them."""
_LATER = "These would run later on this machine, and land only if you say yes to each:"


def write_seen(write: Write, seen: Seen, *, most: int | None = None) -> None:
    """Write every changed path, what would run later first; of each kind no more than `most`."""
    items = seen.items
    refused = [each for each in items if each["refused"]]
    conflicts = [each for each in items if each["conflict"] and not each["refused"] and not each["later"]]
    plain = [each for each in items if not (each["refused"] or each["conflict"] or each["later"])]
    _write_group(
        write, "These would run later on this machine, and land only if you say yes to each:", seen.later, most
    )
    _write_group(write, "You changed these, too. Yours stay; the agent's are kept beside:", conflicts, most)
    _write_group(write, "These never land:", refused, most)
    write_commits(write, seen)
    if len(plain) < len(items):
        write("The rest:" if plain else "Nothing else changed.", style="bold")
    for each in plain[:most]:
        write(_line(each), style=_STYLES[each["act"]])
    _write_hidden(write, len(plain), most)
    for problem in seen.changes["not_seen"]:
        write(f"Not looked at: {one_line(problem)}", style="yellow")


def write_commits(write: Write, seen: Seen) -> None:
    """Write the commits, and what landing would make of them."""
    if seen.commits is None:
        return
    left = _MOST_COMMITS
    for branch in seen.commits["branches"]:
        moved = "" if branch["old"] is None or branch["forward"] else ", rewritten"
        write(f"Commits on {one_line(branch['ref'])}{moved}:", style="bold")
        for commit in branch["commits"][:left]:
            write(f"  {one_line(commit['id'][:12])} {one_line(commit['subject'], limit=100)}")
        hidden = branch["more"] + max(0, len(branch["commits"]) - left)
        left = max(0, left - len(branch["commits"]))
        if hidden:
            write(f"  ... and {hidden} more")
        for path, why in branch["later"]:
            write(f"  changes {one_line(path)}, which would run later: {one_line(why)}", style="yellow")
    if seen.commits["becomes"]:
        write(one_line(seen.commits["becomes"]))


def write_outcome(write: Write, outcome: Mapping[str, Any]) -> None:
    """Write what landed, and what did not and why."""
    landed = len(outcome["landed"])
    parts = [f"{landed} file{'' if landed == 1 else 's'}"] if landed else []
    if outcome["branch"]:
        count = outcome["commits"]
        commits = f"{count} commit{'' if count == 1 else 's'}"
        verb = "on your branch" if outcome["moved"] else "as branch"
        parts.append(f"{commits} {verb} {one_line(outcome['branch'].removeprefix('refs/heads/'))}")
    if landed or outcome["branch"]:
        write(f"Landed: {', '.join(parts)}.", style="green")
    else:
        write("Nothing landed.")
    for each in outcome["kept_aside"]:
        write(f"Not landed: {one_line(each['path'])}: {one_line(each['why'])}", style="yellow")
    if outcome["kept"]:
        write(f"The agent's side of these is in {one_line(outcome['kept'])}")
    left = [each for each in outcome["left"] if each["why"] != _NOT_CHOSEN]
    for each in left[:_MOST_LEFT]:
        write(f"Left: {one_line(each['path'])}: {one_line(each['why'])}", style="yellow")
    _write_hidden(write, len(left), _MOST_LEFT)
    if len(left) < len(outcome["left"]):
        write(f"{len(outcome['left']) - len(left):,} more paths were not chosen; they stay in the workspace.")
    for note in outcome["notes"]:
        write(one_line(note))


def how_to_decide(session: str) -> str:
    """Return the line that says how to land or throw away later."""
    return (
        f"Kept for later. Look: aileron session diff {short(session)}, land: aileron session land {short(session)}, "
        f"throw away: aileron session discard {short(session)}"
    )


def _write_group(write: Write, title: str, items: Sequence[Mapping[str, Any]], most: int | None) -> None:
    if items:
        write(title, style="bold yellow")
    for each in items[:most]:
        why = each["refused"] or "; ".join(each["later"]) or each["conflict"]
        write(f"{_line(each)}: {one_line(why)}", style="yellow")
    _write_hidden(write, len(items), most)


def _write_hidden(write: Write, number: int, most: int | None) -> None:
    if most is not None and number > most:
        write(f"  ... and {number - most:,} more")


def _line(item: Mapping[str, Any]) -> str:
    return f"  {_MARKS[item['act']]} {shown_path(item)}"


def shown_path(item: Mapping[str, Any]) -> str:
    """Return a path as one safe line, with what is special about it."""
    agent = item["agent"]
    path = one_line(item["shown"])
    if agent is None or agent["kind"] == "file":
        return path
    if agent["kind"] == "link":
        return f"{path} -> {one_line(agent['target'])}"
    return f"{path}/" if agent["kind"] == "folder" else path
