"""What is judged of the paths that an agent's commits change: names that may not be new, and what runs later. Pure."""

from collections.abc import Callable, Mapping, Sequence

from daemon.workspaces.commits.failures import refused
from daemon.workspaces.commits.histories import Touched
from daemon.workspaces.commits.trees import EXECUTABLE, FILE, LINK, REPOSITORY, REPOSITORY_PARTS, Findings
from daemon.workspaces.looking.alike import taken_for
from daemon.workspaces.looking.runs_later import link_leads_out
from daemon.workspaces.values import Entry, Kind

_MOST_LATER = 10_000
_LONGEST_TARGET = 4096
_LONGEST_PATH = 4096
_LOOKS_LIKE_A_REPOSITORY = "its folder looks like a git repository, and git obeys the configuration in one"
_TOO_MANY = "there are more paths that would run later than are listed"


def refuse_new_names(touched: Sequence[Touched], findings: Findings) -> None:
    """Raise Failure if a path that commits add has a name that is dangerous on some file system, or in a list."""
    for each in touched:
        if not each.is_added:
            continue
        if len(each.path.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
            raise refused(f"{each.path[:200]!r}... in the agent's commits is longer than {_LONGEST_PATH} bytes.")
        for name in each.path.split("/") if findings.names else ():
            if name in findings.names:
                raise refused(
                    f"{each.path!r} in the agent's commits cannot land: {findings.names[name]}. "
                    "Let the agent make its commits anew with another name."
                )


def runs_later(
    touched: Sequence[Touched],
    findings: Findings,
    reasons: Callable[[str, Entry | None, Entry | None], Sequence[str]],
    targets: Mapping[str, str],
) -> tuple[tuple[str, str], ...]:
    """Return the paths that would run later, each with every reason in words, sorted by path."""
    found: dict[str, dict[str, None]] = {}
    for each in touched:
        entry = _entry(each.mode, targets.get(each.id, ""))
        why = [*reasons(each.path, entry, _entry(each.before, ""))]
        if each.mode == LINK:
            why = [*filter(None, [link_leads_out(each.path, targets.get(each.id, ""))]), *why]
        if findings.repositories and not each.is_deleted and _is_part_of_a_repository(each.path):
            why.append(_LOOKS_LIKE_A_REPOSITORY)
        if why:
            found.setdefault(each.path, {}).update(dict.fromkeys(why))
    listed = [(path, "; ".join(why)) for path, why in sorted(found.items())]
    if len(listed) > _MOST_LATER:
        listed = [*listed[:_MOST_LATER], ("...", _TOO_MANY)]
    return tuple(listed)


def _entry(mode: str, target: str) -> Entry | None:
    if mode in {FILE, EXECUTABLE}:
        return Entry(kind=Kind.FILE, executable=mode == EXECUTABLE)
    if mode == LINK:
        return Entry(kind=Kind.LINK, target=target[:_LONGEST_TARGET])
    return Entry(kind=Kind.FOLDER) if mode == REPOSITORY else None


def _is_part_of_a_repository(path: str) -> bool:
    names = [taken_for(name) for name in path.split("/")]
    return not REPOSITORY_PARTS.isdisjoint(names)
