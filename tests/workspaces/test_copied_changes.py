"""In a copy, the manifest tells what the agent changed; what was left out of it is never overwritten or deleted."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from workspaces.layered import Layered, write

from daemon.workspaces.layers.copying import Progress, copy_site
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.site import survey
from daemon.workspaces.values import Act, Kind, Way


@pytest.fixture
def copied(tmp_path: Path) -> Layered:
    """Return a repository with an ignored folder and a nested repository, and the copy that our code makes."""
    copied = Layered(tmp_path, way=Way.COPY)
    for name in ("one.txt", "lib/two.txt", "lib/three.txt", "built/out.bin", "mixed/four.txt", "mixed/local.bin"):
        copied.has(name, name)
    (copied.person / "link").symlink_to("one.txt")
    (copied.person / "empty").mkdir()
    copied.has(".gitignore", "*.bin\n")
    for folder in (copied.person, copied.person / "vendor"):
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    copied.has("vendor/code.c", "x")
    site = survey(copied.person, OffLimits(homes=(tmp_path / "home",), person=tmp_path / "me"))
    copied.begin(after=0)
    try:
        copy_site(site, copied.layer, Progress(), spare=0)
    finally:
        site.close()
    assert not (copied.upper / "built").exists()
    return copied


def test_nothing_is_a_change_after_a_copy_and_what_was_left_out_is_not_deleted(copied: Layered) -> None:
    assert copied.changes() == {}


def test_what_the_agent_adds_modifies_deletes_and_renames_is_found(copied: Layered) -> None:
    copied.wrote("new.txt", "new")
    copied.wrote("one.txt", "other")
    (copied.upper / "lib" / "two.txt").rename(copied.upper / "lib" / "moved.txt")
    (copied.upper / "link").unlink()
    (copied.upper / "link").symlink_to("lib")
    found = copied.changes()
    assert {path: change.act for path, change in found.items()} == {
        "new.txt": Act.ADDED,
        "one.txt": Act.MODIFIED,
        "lib/two.txt": Act.DELETED,
        "lib/moved.txt": Act.ADDED,
        "link": Act.MODIFIED,
    }
    assert not any(change.conflict for change in found.values())


def test_a_file_that_was_only_written_again_or_touched_is_no_change(copied: Layered) -> None:
    copied.wrote("one.txt", "one.txt")
    (copied.upper / "lib" / "two.txt").touch()
    assert copied.changes() == {}


def test_a_file_the_agent_gave_its_old_time_is_found_all_the_same(copied: Layered) -> None:
    place = copied.upper / "one.txt"
    before = place.stat()
    place.write_text("ONE.TXT")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert set(copied.changes()) == {"one.txt"}


def test_a_file_that_the_agent_made_where_yours_was_left_out_is_a_conflict(copied: Layered) -> None:
    copied.wrote("built/out.bin", "agent's")
    change = copied.changes()["built/out.bin"]
    assert "left out" in change.conflict


def test_a_deleted_folder_with_something_in_it_that_was_left_out_stays(copied: Layered) -> None:
    for name in ("lib", "mixed"):
        shutil.rmtree(copied.upper / name)
    found = copied.changes()
    assert not found["lib"].conflict
    assert "left out" in found["mixed"].conflict
    assert not found["mixed/four.txt"].conflict
    assert "mixed/local.bin" not in found


def test_what_the_person_changed_or_deleted_meanwhile_is_a_conflict(copied: Layered) -> None:
    for name in ("one.txt", "lib/two.txt"):
        copied.wrote(name, "agent's")
    copied.has("one.txt", "person's")
    (copied.person / "lib" / "two.txt").unlink()
    (copied.upper / "lib" / "three.txt").unlink()
    copied.has("lib/three.txt", "person's")
    found = copied.changes()
    assert len(found) == 3
    assert all(change.conflict for change in found.values())


def test_a_nested_repository_is_refused_only_if_something_in_it_changed(copied: Layered) -> None:
    write(copied.upper / "vendor" / ".git" / "hooks" / "post-checkout", "x", 0o755)
    found = copied.changes()
    assert set(found) == {"vendor/.git"}
    assert found["vendor/.git"].refused


def test_what_landed_and_was_deleted_by_the_agent_afterwards_is_a_deletion(copied: Layered) -> None:
    copied.wrote("new/deep/file.txt", "x")
    digest = copied.changes()["new/deep/file.txt"].agent
    assert digest is not None
    copied.has("new/deep/file.txt", "x")
    copied.landed = {"new/deep/file.txt": digest.digest}
    assert copied.changes() == {}
    shutil.rmtree(copied.upper / "new")
    found = copied.changes()
    assert {path: change.act for path, change in found.items()} == {
        "new": Act.DELETED,
        "new/deep": Act.DELETED,
        "new/deep/file.txt": Act.DELETED,
    }
    assert not any(change.conflict for change in found.values())


def test_a_folder_in_the_place_of_a_file_and_the_reverse(copied: Layered) -> None:
    (copied.upper / "one.txt").unlink()
    copied.wrote("one.txt/inner", "x")
    shutil.rmtree(copied.upper / "lib")
    copied.wrote("lib", "x")
    found = copied.changes()
    assert set(found) == {"one.txt", "one.txt/inner", "lib", "lib/two.txt", "lib/three.txt"}
    assert not any(change.conflict for change in found.values())
    assert found["lib"].agent is not None
    assert found["lib"].agent.kind is Kind.FILE


def test_a_manifest_that_is_damaged_is_said_and_nothing_lands(copied: Layered) -> None:
    copied.wrote("new.txt", "x")
    copied.layer.manifest(copied.layer.work).write_text("{}\n")
    found = copied.look()
    assert not found.items
    assert "cannot be read" in found.not_seen[0]
