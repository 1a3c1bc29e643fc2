"""What the agent changed is found whatever it made, and nothing of it lands that must not.

The upper folders are made by hand, which takes root for the marks of deleted names; `test_real_overlay.py` has the
kernel make them.
"""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest
from workspaces.layered import Layered, opened

from daemon.workspaces.looking.base import CHANGED_TOO, LANDED_DELETED
from daemon.workspaces.looking.handles import handle_of
from daemon.workspaces.reading import Bounds, digest_of
from daemon.workspaces.values import Act, Change, Kind, Way


@pytest.fixture
def layered(tmp_path: Path) -> Layered:
    """Return an empty layer over an empty folder."""
    return Layered(tmp_path)


def acts(found: dict[str, Change]) -> dict[str, Act]:
    return {path: change.act for path, change in found.items()}


def test_a_new_a_modified_and_a_deleted_file_are_changes(layered: Layered) -> None:
    layered.has("old.txt", "old")
    layered.has("gone.txt", "gone")
    layered.has("kept.txt", "kept")
    layered.wrote("old.txt", "new")
    layered.wrote("deep/new.txt", "new")
    layered.deleted("gone.txt")
    found = layered.changes()
    assert acts(found) == {"old.txt": Act.MODIFIED, "deep/new.txt": Act.ADDED, "gone.txt": Act.DELETED}
    assert not any(change.conflict or change.refused or change.later for change in found.values())
    assert found["gone.txt"].agent is None
    assert found["deep/new.txt"].person is None
    assert found["old.txt"].agent != found["old.txt"].person


def test_a_file_that_was_copied_up_and_is_the_same_is_no_change(layered: Layered) -> None:
    layered.has("same.txt", "same")
    layered.wrote("same.txt", "same")
    layered.has("a/b/c.txt", "c")
    layered.wrote("a/b/c.txt", "c")
    assert layered.changes() == {}


def test_only_the_execute_bit_of_a_mode_is_a_change(layered: Layered) -> None:
    layered.has("plain", "x", mode=0o644)
    layered.wrote("plain", "x", mode=0o600)
    layered.has("run", "x", mode=0o644)
    layered.wrote("run", "x", mode=0o755)
    layered.has("stop", "x", mode=0o755)
    layered.wrote("stop", "x", mode=0o644)
    found = layered.changes()
    assert acts(found) == {"run": Act.MODIFIED, "stop": Act.MODIFIED}
    assert found["run"].by_name_only
    assert not found["stop"].by_name_only


def test_every_file_of_a_deleted_folder_is_named_and_the_folder_too(layered: Layered) -> None:
    layered.has("lib/a.txt", "a")
    layered.has("lib/sub/b.txt", "b")
    layered.deleted("lib")
    found = layered.changes()
    assert list(found) == ["lib", "lib/a.txt", "lib/sub", "lib/sub/b.txt"]
    assert set(acts(found).values()) == {Act.DELETED}
    assert not any(change.conflict for change in found.values())


def test_an_opaque_folder_deletes_what_it_does_not_name(layered: Layered) -> None:
    layered.has("lib/a.txt", "a")
    layered.has("lib/b.txt", "b")
    layered.has("lib/sub/c.txt", "c")
    layered.hides("lib")
    layered.wrote("lib/b.txt", "other")
    assert acts(layered.changes()) == {
        "lib/a.txt": Act.DELETED,
        "lib/b.txt": Act.MODIFIED,
        "lib/sub": Act.DELETED,
        "lib/sub/c.txt": Act.DELETED,
    }


def test_a_mark_for_a_name_that_the_person_does_not_have_is_no_change(layered: Layered) -> None:
    layered.deleted("gone.txt")
    layered.deleted("sub/gone.txt")
    layered.has("sub/kept.txt")
    assert layered.changes() == {}


def test_a_folder_in_the_place_of_a_file_and_a_file_in_the_place_of_a_folder(layered: Layered) -> None:
    layered.has("one", "file")
    layered.hides("one")
    layered.wrote("one/inner.txt", "x")
    layered.has("two/inner.txt", "y")
    layered.wrote("two", "file")
    found = layered.changes()
    assert acts(found) == {
        "one": Act.MODIFIED,
        "one/inner.txt": Act.ADDED,
        "two": Act.MODIFIED,
        "two/inner.txt": Act.DELETED,
    }
    one, two = found["one"], found["two"]
    assert one.agent is not None
    assert one.person is not None
    assert (one.agent.kind, one.person.kind) == (Kind.FOLDER, Kind.FILE)
    assert two.agent is not None
    assert two.person is not None
    assert (two.agent.kind, two.person.kind) == (Kind.FILE, Kind.FOLDER)


def test_a_new_folder_is_named_only_if_it_is_empty(layered: Layered) -> None:
    (layered.upper / "empty").mkdir()
    layered.wrote("full/file.txt")
    (layered.upper / "outer" / "inner").mkdir(parents=True)
    assert acts(layered.changes()) == {"empty": Act.ADDED, "full/file.txt": Act.ADDED, "outer/inner": Act.ADDED}


def test_a_link_is_named_and_one_that_leads_out_never_lands(layered: Layered) -> None:
    layered.has("target.txt")
    for name, target in {
        "inside": "target.txt",
        "sub/up": "../target.txt",
        "absolute": "/etc/passwd",
        "out": "../x",
        "sub/out": "../../x",
        "detour": "sub/../../x",
        "through": "link/../x",
        "hook": ".git/hooks/pre-commit",
        "hook2": ".GIT/hooks",
        "windows": "C:\\x",
    }.items():
        place = layered.upper / name
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(target)
    found = layered.changes()
    assert all(change.by_name_only for change in found.values())
    assert {path for path, change in found.items() if not change.refused} == {"inside", "sub/up"}


def test_nothing_outside_is_ever_read_while_folders_and_files_are_swapped_for_links(
    layered: Layered, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    never = digest_of(b"secret")
    layered.wrote("sub/file", "agent's")
    stop = threading.Event()

    def swap() -> None:
        (layered.upper / "to-folder").symlink_to(secret)
        (layered.upper / "to-file").symlink_to(secret / "file")
        while not stop.is_set():
            for place, link in ((layered.upper / "sub", "to-folder"), (layered.upper / "sub" / "file", "to-file")):
                with contextlib.suppress(OSError):
                    place.rename(layered.upper / "aside")
                    (layered.upper / link).rename(place)
                    place.rename(layered.upper / link)
                    (layered.upper / "aside").rename(place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = [change for _ in range(1000) for change in layered.look().items]
    finally:
        stop.set()
        swapper.join()
    assert seen
    assert never not in {change.agent.digest for change in seen if change.agent is not None}


def test_a_link_through_another_link_never_lands_whoever_made_that_one(layered: Layered, tmp_path: Path) -> None:
    (layered.person / "data").symlink_to(tmp_path)
    (layered.person / "sub").mkdir()
    (layered.person / "sub" / "up").symlink_to("..")
    (layered.upper / "new").symlink_to("sub")
    (layered.upper / "sub").mkdir()
    for name, target in {
        "one": "data/secret",
        "two": "data",
        "three": "sub/up/x",
        "four": "new/x",
        "sub/five": "../data/x",
        "plain": "sub/x",
    }.items():
        (layered.upper / name).symlink_to(target)
    found = layered.changes()
    assert {path for path, change in found.items() if not change.refused} == {"new", "plain"}


def test_a_link_to_a_folder_of_the_persons_is_never_followed(layered: Layered, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    (layered.person / "sub").symlink_to(secret)
    layered.wrote("sub/key", "x")
    found = layered.changes()
    assert found["sub"].person is not None
    assert found["sub"].person.kind is Kind.LINK
    assert found["sub/key"].person is None


def test_devices_fifos_sockets_and_special_modes_never_land_and_do_not_block(layered: Layered) -> None:
    os.mkfifo(layered.upper / "fifo")
    os.mknod(layered.upper / "null", 0o20666, os.makedev(1, 3))
    os.mknod(layered.upper / "disk", 0o60666, os.makedev(7, 0))
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(layered.upper)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    layered.wrote("setuid", "x", mode=0o4755)
    layered.wrote("setgid", "x", mode=0o2755)
    layered.wrote("sticky", "x", mode=0o1644)
    layered.has("same", "x", mode=0o755)
    layered.wrote("same", "x", mode=0o4755)
    found = layered.changes()
    assert set(found) == {"fifo", "null", "disk", "socket", "setuid", "setgid", "sticky", "same"}
    assert all(change.refused for change in found.values())


def test_a_fifo_or_socket_of_the_persons_is_neither_replaced_nor_deleted(layered: Layered) -> None:
    for name in ("replaced", "folder/deleted"):
        (layered.person / name).parent.mkdir(exist_ok=True)
        os.mkfifo(layered.person / name)
    layered.wrote("replaced", "x")
    layered.deleted("folder")
    found = layered.changes()
    assert found["replaced"].refused
    assert found["folder/deleted"].refused
    assert found["folder"].conflict


MISTAKEN = (
    ".GIT",
    ".Git",
    ".g\u200cit",
    ".git\ufeff",
    "git~1",
    "GIT~2",
    ".git ",
    ".git.",
    ".git . .",
    ".git:x",
    "x\\.git",
)


@pytest.mark.parametrize("name", [*MISTAKEN, ".git::$INDEX_ALLOCATION", "\uff0egit", ".gi\u200d\u200et"])
def test_what_is_mistaken_for_gits_folder_never_lands_and_is_not_looked_into(layered: Layered, name: str) -> None:
    layered.wrote(f"{name}/hooks/pre-commit", "x", mode=0o755)
    layered.wrote(f"sub/{name}", "gitdir: ../x")
    found = layered.changes()
    assert set(found) == {name, f"sub/{name}"}
    assert all("git" in change.refused for change in found.values())


def test_gits_own_folder_is_skipped_and_every_other_one_is_refused(layered: Layered) -> None:
    layered.has(".git/HEAD", "ref: refs/heads/main\n")
    layered.has("vendor/.git/HEAD", "ref: refs/heads/main\n")
    layered.wrote(".git/HEAD", "other")
    layered.wrote(".git/hooks/pre-commit", "x", mode=0o755)
    layered.wrote("vendor/.git/hooks/pre-commit", "x", mode=0o755)
    layered.wrote("new/.git/config", "[core]")
    found = layered.changes()
    assert set(found) == {"vendor/.git", "new/.git"}
    assert all(change.refused for change in found.values())


def test_a_repository_that_the_agent_made_where_none_was_is_refused_and_not_hidden(layered: Layered) -> None:
    layered.wrote(".git/config", "[core]\nfsmonitor = ./x")
    assert layered.changes()[".git"].refused


def test_a_repository_in_a_deleted_folder_stays_and_so_does_the_folder(layered: Layered) -> None:
    layered.has("vendor/.git/HEAD", "x")
    layered.has("vendor/code.c", "x")
    layered.deleted("vendor")
    found = layered.changes()
    assert found["vendor/.git"].refused
    assert found["vendor"].conflict
    assert not found["vendor/code.c"].conflict


def test_everything_in_a_folder_that_git_takes_for_a_repository_lands_by_name_only(layered: Layered) -> None:
    layered.has("bare/objects/x", "x")
    layered.has("bare/refs/x", "x")
    layered.wrote("bare/HEAD", "ref: refs/heads/main\n")
    layered.wrote("bare/config", "[core]\nfsmonitor = ./x\n")
    layered.wrote("bare/hooks/post-checkout", "x")
    layered.wrote("linked/HEAD", "ref: refs/heads/main\n")
    layered.wrote("linked/commondir", "../bare")
    layered.wrote("plain/HEAD", "no repository: nothing else is here")
    found = layered.changes()
    assert all("repository" in found[path].later[0] for path in found if not path.startswith("plain"))
    assert not found["plain/HEAD"].later
    assert len(found) == 6


def test_the_workspace_itself_made_to_look_like_a_bare_repository_lands_by_name_only(layered: Layered) -> None:
    layered.has("src/main.py")
    for name in ("HEAD", "config", "objects/x", "refs/x"):
        layered.wrote(name, "x")
    assert all(change.by_name_only for change in layered.changes().values())


def test_a_name_that_differs_only_by_case_or_unseen_characters_lands_by_name_only(layered: Layered) -> None:
    layered.has("README", "x")
    layered.wrote("readme", "y")
    layered.wrote("rea\u200bdme", "y")
    layered.wrote("one/a", "x")
    layered.wrote("one/A", "x")
    layered.has("src/main.c", "x")
    layered.wrote("SRC/deep/main.c", "x")
    layered.wrote("10:30.log", "x")
    layered.wrote("10:31.log", "x")
    found = layered.changes()
    assert {path for path, change in found.items() if change.by_name_only} == {
        "readme",
        "rea\u200bdme",
        "one/a",
        "one/A",
        "SRC/deep/main.c",
    }


def test_a_rename_that_changes_only_case_is_a_deletion_and_a_plain_addition(layered: Layered) -> None:
    layered.has("README", "x")
    layered.deleted("README")
    layered.wrote("readme", "x")
    found = layered.changes()
    assert acts(found) == {"README": Act.DELETED, "readme": Act.ADDED}
    assert not found["readme"].by_name_only


def test_names_that_steer_a_terminal_or_are_no_text_are_found_with_their_bytes(layered: Layered) -> None:
    names = ["new\nline", "esc\x1b[2J", os.fsdecode(b"\xff\xfe"), "a" * 255, " ", "-rf", "..."]
    for name in names:
        layered.wrote(name, "x")
    assert set(layered.changes()) == set(names)


def test_a_path_longer_than_any_program_opens_never_lands(layered: Layered) -> None:
    folder = os.open(layered.upper, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folder)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    (change,) = layered.changes().values()
    assert "longer than" in change.refused


def test_folders_deeper_than_the_bound_are_told_and_not_dropped(layered: Layered) -> None:
    layered.wrote("/".join("d" * 20) + "/file", "x")
    layered.wrote("seen.txt", "x")
    found = layered.look(bounds=Bounds(depth=10))
    assert [change.path for change in found.items] == ["seen.txt"]
    assert "deeper" in found.not_seen[0]


def test_hard_links_and_sparse_files_are_files_with_their_content(layered: Layered) -> None:
    first = layered.wrote("first", "x")
    os.link(first, layered.upper / "second")
    with (layered.upper / "sparse").open("wb") as file:
        file.truncate(1 << 20)
    found = layered.changes()
    agents = {path: change.agent for path, change in found.items()}
    assert agents["first"] == agents["second"]
    assert agents["sparse"] is not None
    assert agents["sparse"].size == 1 << 20


def test_a_file_above_the_bound_is_refused_without_being_read(layered: Layered) -> None:
    with (layered.upper / "huge").open("wb") as file:
        file.truncate(1 << 40)
    (change,) = layered.changes().values()
    assert "larger than" in change.refused


def test_a_file_that_grows_while_it_is_read_is_read_to_its_size_and_refused(layered: Layered) -> None:
    place = layered.wrote("log", b"x" * (8 << 20))
    stop = threading.Event()

    def grow() -> None:
        with place.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"y" * 4096)
                if file.tell() > 256 << 20:
                    file.truncate(8 << 20)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        (change,) = layered.changes().values()
    finally:
        stop.set()
        writer.join()
    assert "changed while it was" in change.refused


def test_more_entries_or_bytes_or_time_than_the_bounds_end_the_look_and_that_is_said(layered: Layered) -> None:
    for number in range(300):
        layered.wrote(f"many/{number:03}", "0123456789")
    for bounds, word in (
        (Bounds(entries=100), "entries"),
        (Bounds(total_bytes=1000), "to read"),
        (Bounds(seconds=0.0), "seconds"),
    ):
        found = layered.look(bounds=bounds)
        assert len(found.items) < 300
        assert word in found.not_seen[0]


def test_a_folder_that_cannot_be_read_is_told(layered: Layered) -> None:
    layered.wrote("moved/file", "x")
    layered.wrote("open.txt", "x")
    os.setxattr(layered.upper / "moved", "user.overlay.redirect", b"elsewhere")
    found = layered.look()
    assert [change.path for change in found.items] == ["open.txt"]
    assert found.not_seen[0].startswith("moved: ")


def test_attributes_alone_are_no_change(layered: Layered) -> None:
    layered.has("file", "x")
    os.setxattr(layered.wrote("file", "x"), "user.note", b"y")
    assert layered.changes() == {}


def test_a_folder_on_another_file_system_is_never_taken_for_deleted(layered: Layered) -> None:
    layered.has("mount/inner", "x")
    mounted = layered.person / "mount"
    assert os.system(f"mount -t tmpfs -o size=1m none {mounted}") == 0  # noqa: S605
    try:
        (mounted / "precious").write_text("x")
        layered.deleted("mount")
        found = layered.changes()
        assert set(found) == {"mount"}
        assert "file system" in found["mount"].conflict
        (layered.upper / "mount").unlink()
        layered.wrote("mount/precious", "y")
        found = layered.changes()
        assert set(found) == {"mount"}
        assert "file system" in found["mount"].refused
    finally:
        assert os.system(f"umount {mounted}") == 0  # noqa: S605


def test_a_bind_mount_of_the_same_file_system_is_not_taken_for_deleted_either(layered: Layered, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    mounted = layered.person / "mount"
    mounted.mkdir()
    assert os.system(f"mount --bind {elsewhere} {mounted}") == 0  # noqa: S605
    try:
        layered.deleted("mount")
        found = layered.changes()
        assert set(found) == {"mount"}
        assert "file system" in found["mount"].conflict
    finally:
        assert os.system(f"umount {mounted}") == 0  # noqa: S605


def test_a_file_changed_on_both_sides_is_a_conflict_and_the_same_on_both_sides_is_none(layered: Layered) -> None:
    layered.has("both.txt", "person's")
    layered.wrote("both.txt", "agent's")
    layered.has("same.txt", "same")
    layered.wrote("same.txt", "same")
    layered.has("gone.txt", "person's")
    layered.deleted("gone.txt")
    layered.begun_before()
    found = layered.changes()
    assert set(found) == {"both.txt", "gone.txt"}
    assert all("changed in your folder" in change.conflict for change in found.values())


def test_a_folder_is_not_deleted_when_the_person_put_something_new_into_it(layered: Layered) -> None:
    layered.has("lib/old.txt", "x")
    layered.begin(after=0.5)
    layered.deleted("lib")
    now = layered.start.wall_ns
    new = layered.has("lib/new.txt", "y")
    while new.stat().st_ctime_ns < now:
        new.chmod(0o644)
    found = layered.changes()
    assert not found["lib/old.txt"].conflict
    assert found["lib/new.txt"].conflict
    assert found["lib"].conflict


def test_a_folder_that_the_person_moved_to_the_place_of_another_is_not_taken_for_that(layered: Layered) -> None:
    for name in ("changed", "deleted", "remade"):
        layered.has(f"{name}/file.txt", "old")
        layered.has(f"own/{name}/file.txt", "precious, and older than the session")
    layered.begin(after=0.5)
    layered.wrote("changed/file.txt", "agent's")
    layered.deleted("deleted")
    layered.hides("remade")
    layered.wrote("remade/new.txt")
    for name in ("changed", "deleted", "remade"):
        move_when_begun(layered, layered.person / name, layered.person / "was" / name)
        move_when_begun(layered, layered.person / "own" / name, layered.person / name)
    found = layered.changes()
    assert {path for path, change in found.items() if not change.conflict} == {"remade/new.txt"}
    assert {"changed/file.txt", "deleted/file.txt", "remade/file.txt"} <= set(found)


def move_when_begun(layered: Layered, source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    source.rename(target)
    while target.stat().st_ctime_ns < layered.start.wall_ns:
        target.chmod(0o755)


def test_a_folder_in_which_the_person_made_another_file_is_still_the_same_if_the_kernel_says_so(
    layered: Layered,
) -> None:
    layered.has("lib/file.txt", "old")
    layered.begin(after=0.2)
    layered.wrote("lib/file.txt", "agent's")
    handle = origin_attribute(layered.person / "lib")
    os.setxattr(layered.upper / "lib", "user.overlay.origin", handle)
    move_when_begun(layered, layered.has("lib/other.txt"), layered.person / "lib" / "another.txt")
    (layered.person / "lib" / "another.txt").unlink()
    assert not layered.changes()["lib/file.txt"].conflict
    os.setxattr(layered.upper / "lib", "user.overlay.origin", handle[:-1] + b"?")
    assert layered.changes()["lib/file.txt"].conflict


def origin_attribute(folder: Path) -> bytes:
    """Return what the kernel keeps of a lower folder, in the form of its `struct ovl_fb`."""
    with opened(folder) as descriptor:
        handle = handle_of(descriptor)
    assert handle is not None
    kind, raw = handle
    return bytes((0, 0xFB, 21 + len(raw), 0, kind)) + bytes(16) + raw


def test_the_deletion_of_a_folder_lands_by_name_only_if_something_in_it_does(layered: Layered) -> None:
    layered.has("sub/.envrc", "x")
    layered.has("sub/plain/file.txt", "x")
    layered.deleted("sub")
    found = layered.changes()
    assert {path for path, change in found.items() if change.by_name_only} == {"sub", "sub/.envrc"}


def test_what_lies_below_a_folder_that_became_a_link_on_the_persons_side_is_a_conflict(layered: Layered) -> None:
    layered.wrote("sub/file.txt", "x")
    (layered.person / "sub").symlink_to("elsewhere")
    layered.begun_before()
    found = layered.changes()
    assert found["sub"].conflict
    assert found["sub/file.txt"].conflict


def test_the_live_way_has_nothing_to_look_at(tmp_path: Path) -> None:
    layered = Layered(tmp_path, way=Way.LIVE)
    assert layered.look().items == ()


def agents_digest(layered: Layered, path: str) -> str:
    agent = layered.changes()[path].agent
    assert agent is not None
    return agent.digest


def test_what_landed_and_the_person_worked_on_is_no_change_while_the_agent_leaves_it(layered: Layered) -> None:
    layered.has("worked-on", "first")
    layered.wrote("worked-on", "the agent's")
    layered.wrote("removed", "the agent's")
    layered.landed = {path: agents_digest(layered, path) for path in ("worked-on", "removed")}
    layered.begun_before()
    layered.has("worked-on", "the agent's, and mine")
    assert layered.changes() == {}
    layered.has("gone", "made again by the person")
    layered.deleted("gone")
    layered.landed["gone"] = LANDED_DELETED
    assert layered.changes() == {}


def test_what_the_agent_changed_after_it_landed_is_a_conflict_with_what_the_person_made_of_it(layered: Layered) -> None:
    layered.wrote("worked-on", "the agent's")
    layered.landed = {"worked-on": agents_digest(layered, "worked-on")}
    layered.begun_before()
    layered.has("worked-on", "the agent's, and mine")
    layered.wrote("worked-on", "the agent's, and more")
    assert layered.changes()["worked-on"].conflict == CHANGED_TOO
    # The execute bit is not recorded, so nobody knows who set it.
    layered.wrote("worked-on", "the agent's", mode=0o755)
    assert layered.changes()["worked-on"].conflict == CHANGED_TOO
