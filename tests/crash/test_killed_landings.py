"""A daemon that is killed while a decision is carried out: its next start undoes or finishes it, and says so."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from handmade import Handmade
from world import World

SESSION = "ses_019ab000-1111-7111-8111-0000abcd1234"
BEFORE = {"app.py": "one\n", "gone.txt": "gone\n", "deep/kept.txt": "kept\n"}
AFTER = {"app.py": "two\n", "new/file.txt": "new\n", "deep/kept.txt": "kept\n"}
UNDONE = ("landing.begun", "landing.written_down", "landing.after_step", "landing.after_step:2", "landing.synced")
FINISHED = ("landing.committed", "landing.retired", "files.landed", "files.remembered", "files.recorded")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Offer an installation that is killed at a point that a file names."""
    (tmp_path / "world").mkdir()
    with World(tmp_path / "world", upstream="http://127.0.0.1:1", AILERON_FAULT_FILE=str(tmp_path / "armed")) as made:
        made.start()
        yield made


@pytest.mark.parametrize("point", [*UNDONE, *FINISHED])
def test_a_landing_that_was_cut_off_is_undone_or_finished_and_the_log_says_which(
    world: World, tmp_path: Path, point: str
) -> None:
    work = Handmade(world, tmp_path / "project", SESSION, BEFORE)
    work.wrote("app.py", "two\n")
    work.wrote("new/file.txt", "new\n")
    work.deleted("gone.txt")
    work.ended()
    plan = world.ok("GET", f"/v1/workspaces/{SESSION}/changes")["plan"]
    (tmp_path / "armed").write_text(point)
    with pytest.raises(httpx.HTTPError):
        world.control("POST", f"/v1/workspaces/{SESSION}/land", {"plan": plan})
    world.wait_dead()
    (tmp_path / "armed").unlink()
    world.start()
    assert work.contents() == (AFTER if point in FINISHED else BEFORE)
    assert not [each for each in work.folder.iterdir() if each.name.startswith(".aileron")]
    kinds = [event["type"] for event in world.ok("GET", f"/v1/audit?session={SESSION}&limit=100")["items"]]
    assert kinds.count("workspace.landing_started") == 1
    assert ("workspace.landed" in kinds) is (point in FINISHED)
    assert ("workspace.landing_undone" in kinds) is (point in UNDONE)
    left = world.ok("GET", f"/v1/workspaces/{SESSION}/changes")
    assert (left["changes"] == []) is (point in FINISHED)
    landed = world.ok("POST", f"/v1/workspaces/{SESSION}/land", {"plan": left["plan"]})
    assert work.contents() == AFTER
    assert landed["kept_aside"] == []
