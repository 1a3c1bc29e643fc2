"""docs/land-half.md, followed: a part of what an agent changed is in the folder, and the rest is gone."""

import os
import tempfile
from pathlib import Path

import pytest
from docs.following import Reader
from sandbox.engine import SHORTLY, USER
from world import ROOT

pytestmark = pytest.mark.docker


def hand_over(folder: Path) -> None:
    """Give to an ordinary user what root made; what is theirs already is not touched, because that is a change, too."""
    for place in (folder, *folder.rglob("*")):
        if os.geteuid() == 0 and place.lstat().st_uid != USER:
            os.chown(place, USER, USER, follow_symlinks=False)


def test_half_of_what_an_agent_changed_lands_by_following_one_page(images: dict[str, str]) -> None:
    assert images["codex"]
    # Not below the folder of the tests, which is root's alone: the agent is an ordinary user.
    with tempfile.TemporaryDirectory(prefix="aileron-page-") as folder:
        Path(folder).chmod(0o755)
        start = Path(folder) / "person" / "code"
        with Reader(Path(folder), outside={}, start=start, between=lambda: hand_over(start), **SHORTLY) as reader:
            reader.follow(ROOT / "docs" / "land-half.md")
            project = start / "notes"
            assert sorted(each.name for each in project.iterdir()) == ["version.txt"]
            assert (project / "version.txt").read_text() == "1.4.0\n"
            before, after = (text for text in reader.printed if text.startswith("1."))
            assert (before.split("\n")[0], after.split("\n")[0]) == ("1.3.9", "1.4.0")
            assert "tasks.json" in next(text for text in reader.printed if ".vscode" in text)
