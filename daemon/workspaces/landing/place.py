"""What the steps of a landing work on: the person's folders, our staging folders, and what was seen in them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from daemon.workspaces.landing.aside import Aside
from daemon.workspaces.landing.folders import Folders
from daemon.workspaces.landing.plan import IMPLIED, Step
from daemon.workspaces.landing.staging import Stage
from daemon.workspaces.values import Change, Entry, Kind


@dataclass(kw_only=True)
class Site:
    """What the steps of a landing work on."""

    folders: Folders
    stages: Mapping[int, Stage]
    """By number; after a cut, one whose steps are all done or undone is missing."""
    changes: Sequence[Change]
    aside: Aside
    seen: dict[int, os.stat_result] = field(default_factory=dict)
    """What the person's side of each change was when its content was compared, by number of the change."""
    taken: dict[int, os.stat_result] = field(default_factory=dict)
    """What came out of the person's folder, as it was then; by slot."""

    def stage(self, step: Step) -> int:
        """Return the descriptor of the staging folder of a step."""
        return self.stages[step.stage].descriptor

    def old(self, step: Step) -> Entry | None:
        """Return what lay at a step's path."""
        return None if step.change == IMPLIED else self.changes[step.change].person

    def new(self, step: Step) -> Entry:
        """Return what comes to a step's path."""
        entry = None if step.change == IMPLIED else self.changes[step.change].agent
        return entry or Entry(kind=Kind.FOLDER)
