"""What was changed in one workspace, as the daemon told it, and the decision that names exactly that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient


@dataclass(frozen=True, slots=True)
class Seen:
    """The changes, and the commits if there are any."""

    changes: Mapping[str, Any]
    commits: Mapping[str, Any] | None

    @classmethod
    def look(cls, client: "ControlClient", session: str, *, with_commits: bool | None = None) -> "Seen":
        """Ask the daemon what changed."""
        return cls.of(client, client.get_patiently("/v1/workspaces/{}/changes", session), with_commits=with_commits)

    @classmethod
    def of(cls, client: "ControlClient", changes: Mapping[str, Any], *, with_commits: bool | None = None) -> "Seen":
        """Ask for the commits, too: they take a moment, so only if there are signs of some, or as told."""
        wanted = changes["may_have_commits"] if with_commits is None else with_commits
        return cls(
            changes, client.get_patiently("/v1/workspaces/{}/commits", str(changes["session"])) if wanted else None
        )

    @property
    def session(self) -> str:
        """Return whose workspace it is."""
        return str(self.changes["session"])

    @property
    def items(self) -> list[dict[str, Any]]:
        """Return the changed paths."""
        return list(self.changes["changes"])

    @property
    def later(self) -> list[dict[str, Any]]:
        """Return what would run later and may land if it is named: files, and what only commits change."""
        found = [each for each in self.items if each["later"] and not each["refused"]]
        known = {each["path"] for each in self.items}
        for branch in () if self.commits is None else self.commits["branches"]:
            for path, why in branch["later"]:
                if path not in known:
                    known.add(path)
                    found.append(_only_in_commits(path, why))
        return found

    @property
    def commit_count(self) -> int:
        """Return how many commits the person's repository does not have."""
        return 0 if self.commits is None else int(self.commits["count"])

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to decide about."""
        return not self.items and self.commit_count == 0 and not (self.commits and self.commits["branches"])

    def summary(self) -> str:
        """Say it in one line, such as `12 files changed, +340 -21, 2 commits`."""
        count = self.commit_count
        commits = f", {count} commit{'' if count == 1 else 's'}" if count else ""
        return f"{one_line(self.changes['summary'])}{commits}"

    def only(self, paths: Sequence[str] | None) -> "Seen":
        """Return what was seen below some paths; raise CliFailure for a path below which nothing changed."""
        if not paths:
            return self
        for path in paths:
            if not any(_is_below(each["path"], path) for each in self.items):
                raise CliFailure(
                    f"nothing changed at {path!r}",
                    remedy=f"See what did: aileron session diff {self.session[-8:]} --stat",
                )
        items = [each for each in self.items if any(_is_below(each["path"], path) for path in paths)]
        added, removed = (sum(each.get(name, 0) for each in items) for name in ("added", "removed"))
        about = "" if all(each.get("exact", True) for each in items) else "about "
        summary = f"{len(items)} of {self.changes['files']} files changed, {about}+{added:,} -{removed:,}"
        return Seen({**self.changes, "changes": items, "summary": summary}, self.commits)

    def decision(
        self,
        *,
        mode: str,
        how: str,
        paths: Iterable[str] | None = None,
        yes_to: Iterable[str] = (),
        branch: str = "",
    ) -> dict[str, Any]:
        """Return the body of a decision about exactly what was seen."""
        return {
            "mode": mode,
            "how": how,
            "plan": self.changes["plan"],
            "commits_plan": "" if self.commits is None else self.commits["plan"],
            "paths": None if paths is None else list(paths),
            "yes_to": list(yes_to),
            "branch": branch,
        }


def _only_in_commits(path: str, why: str) -> dict[str, Any]:
    """Return the item of a path that commits change, and that is again as it was in the end."""
    later = [f"{why} (only in commits)"]
    return {
        "path": path,
        "shown": path,
        "act": "modified",
        "agent": None,
        "later": later,
        "refused": "",
        "conflict": "",
    }


def _is_below(path: str, chosen: str) -> bool:
    folder = chosen.rstrip("/")
    return path == folder or path.startswith(f"{folder}/") or folder in ("", ".")
