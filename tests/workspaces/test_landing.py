"""What lands is what was shown; what was not shown, or is not as it was, does not; and nothing but files ever does."""

import ctypes
import errno
import os
import resource
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from workspaces.landing_room import LandingRoom, added, file_entry, link
from workspaces.layered import opened, write

from daemon.base import exact_renames
from daemon.workspaces.landed import Landed, LandingError
from daemon.workspaces.landing.folder_lock import only_landing_in
from daemon.workspaces.values import Act, Change, Entry, Kind, Way


@pytest.fixture
def room(tmp_path: Path) -> LandingRoom:
    return LandingRoom(tmp_path)


def _paths(landed: Landed) -> list[str]:
    return sorted(each.path for each in landed.paths)


def test_what_was_shown_lands_and_then_nothing_differs(room: LandingRoom) -> None:
    room.has("changed", "old\n")
    room.has("gone", "old\n")
    room.has("folder/stays", "as it was\n")
    room.has("folder/goes/deep", "old\n")
    room.wrote("changed", "new\n")
    room.deleted("gone")
    room.deleted("folder/goes")
    room.wrote("new/folder/file", "new\n")
    (room.upper / "empty" / "folder").mkdir(parents=True)
    room.show()
    landed = room.land()
    assert not landed.conflicts
    assert not landed.refused
    assert _paths(landed) == sorted(change.path for change in room.shown)
    assert not room.look().items
    assert (room.person / "new/folder/file").read_text() == "new\n"
    assert (room.person / "empty/folder").is_dir()
    assert not (room.person / "folder/goes").exists()
    assert not room.leftovers()


def test_a_landing_says_the_digests_before_and_after(room: LandingRoom) -> None:
    room.has("file", "old")
    room.has("gone", "old")
    room.wrote("file", "new")
    room.deleted("gone")
    landed = room.land()
    assert landed.digests() == {"file": file_entry(b"new").digest, "gone": "-"}
    assert [each.old and each.old.digest for each in landed.paths] == [file_entry(b"old").digest] * 2


def test_only_the_chosen_changes_land(room: LandingRoom) -> None:
    room.wrote("one/a")
    room.wrote("one/b")
    chosen = [change for change in room.show() if change.path == "one/b"]
    assert _paths(room.land(changes=chosen)) == ["one/b"]
    assert not (room.person / "one/a").exists()


def test_files_folders_and_links_take_each_others_places(room: LandingRoom) -> None:
    room.has("file-to-folder", "old")
    room.has("folder-to-file/inner/x", "old")
    room.has("file-to-link", "old")
    (room.person / "link-to-file").symlink_to("file-to-link")
    room.wrote("file-to-folder/inner/y", "new")
    room.wrote("folder-to-file", "new")
    (room.upper / "file-to-link").symlink_to("elsewhere")
    room.wrote("link-to-file", "new")
    landed = room.land()
    assert not landed.conflicts
    assert not landed.refused
    assert (room.person / "file-to-folder/inner/y").read_text() == "new"
    assert (room.person / "folder-to-file").read_text() == "new"
    assert (room.person / "file-to-link").readlink() == Path("elsewhere")
    assert (room.person / "link-to-file").read_text() == "new"
    assert not (room.person / "link-to-file").is_symlink()


def test_a_rename_that_differs_by_case_only_lands(room: LandingRoom) -> None:
    room.has("Readme", "text")
    room.deleted("Readme")
    room.wrote("README", "text")
    assert not room.land().conflicts
    assert sorted(room.tree()) == ["README"]


def test_of_modes_only_the_execute_bit_lands(room: LandingRoom) -> None:
    room.has("private", "old", mode=0o600)
    room.has("script", "same", mode=0o640)
    room.has("tool", "old", mode=0o755)
    room.wrote("private", "new", mode=0o666)
    room.wrote("script", "same", mode=0o777)
    room.wrote("tool", "new", mode=0o600)
    room.wrote("fresh", "new", mode=0o777)
    room.person.chmod(0o750)
    assert not room.land().conflicts
    modes = {path: stat.S_IMODE((room.person / path).stat().st_mode) for path in ("private", "script", "tool", "fresh")}
    assert modes == {"private": 0o600, "script": 0o750, "tool": 0o644, "fresh": 0o750}


@pytest.mark.parametrize("bit", [stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX])
def test_setuid_setgid_and_sticky_never_land(room: LandingRoom, bit: int) -> None:
    room.wrote("tool", "new").chmod(0o755 | bit)
    change = Change(path="tool", act=Act.ADDED, agent=file_entry(b"new", executable=True), person=None)
    room.land(changes=[change])
    assert stat.S_IMODE((room.person / "tool").stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_a_daemon_lands_that_is_root_belongs_to_the_owner_of_the_folder(room: LandingRoom) -> None:
    room.has("theirs", "old")
    os.chown(room.person, 1234, 1234)
    os.chown(room.person / "theirs", 1235, 1236)
    room.wrote("theirs", "new")
    room.wrote("folder/new", "new")
    room.land()
    owners = {
        path: ((room.person / path).stat().st_uid, (room.person / path).stat().st_gid)
        for path in ("theirs", "folder", "folder/new")
    }
    assert owners == {"theirs": (1235, 1236), "folder": (1234, 1234), "folder/new": (1234, 1234)}


def test_extended_attributes_do_not_land(room: LandingRoom) -> None:
    os.setxattr(room.wrote("file", "new"), "user.note", b"x")
    room.land()
    assert not os.listxattr(room.person / "file")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", "a/.GIT/hooks/x", ".g\u200cit/config", "GIT~1/config", ".git./config", ".git /x",
        ".git::$INDEX_ALLOCATION/config", "a/.git", "../out", "/etc/passwd", "a/../../out", "a//b", "", ".", "a/.",
        "nul\0", "x" * 256, "a/" * 129 + "b", "\u20ac" * 86, "/".join(["d" * 250] * 17), ".aileron-landing-ses_1/x",
        "\ud800",
    ],
)  # fmt: skip
def test_a_path_that_leads_out_or_into_git_never_lands_whoever_chose_it(room: LandingRoom, path: str) -> None:
    before = room.tree()
    landed = room.land(changes=[added(path)])
    assert [each.path for each in landed.refused] == [path]
    assert room.tree() == before
    assert not room.leftovers()


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside", "a/../../outside", "", ".git/hooks", "x/.Git/y", "c:\\x", "\ud800", "a\0b"]
)
def test_a_link_that_leads_out_or_into_git_never_lands(room: LandingRoom, target: str) -> None:
    assert room.land(changes=[link("inner", target)]).refused
    assert not room.tree()


def test_a_link_that_stays_inside_lands(room: LandingRoom) -> None:
    (room.upper / "a/b").mkdir(parents=True)
    (room.upper / "a/b/up").symlink_to("../c/./d")
    assert _paths(room.land()) == ["a/b/up"]


def test_a_link_through_another_link_never_lands(room: LandingRoom, tmp_path: Path) -> None:
    (room.person / "theirs").symlink_to(tmp_path)
    (room.upper / "door").symlink_to("theirs/secret")
    (room.upper / "one").symlink_to("two")
    (room.upper / "two").symlink_to("nowhere")
    landed = room.land()
    assert sorted(each.path for each in landed.refused) == ["door", "one"]
    assert _paths(landed) == ["two"]


def test_devices_fifos_and_sockets_never_land(room: LandingRoom) -> None:
    os.mkfifo(room.upper / "fifo")
    room.show()
    assert [each.path for each in room.land().refused] == ["fifo"]
    assert not room.tree()


def test_a_fifo_in_the_place_of_a_shown_file_is_not_waited_for(room: LandingRoom) -> None:
    room.wrote("file", "new")
    room.show()
    (room.upper / "file").unlink()
    os.mkfifo(room.upper / "file")
    assert [each.path for each in room.land().conflicts] == ["file"]


def test_a_fifo_of_the_persons_is_not_replaced(room: LandingRoom) -> None:
    os.mkfifo(room.person / "fifo")
    change = Change(path="fifo", act=Act.MODIFIED, agent=file_entry(b"new"), person=Entry(kind=Kind.OTHER))
    room.wrote("fifo", "new")
    assert room.land(changes=[change]).refused
    assert stat.S_ISFIFO((room.person / "fifo").lstat().st_mode)


@pytest.mark.parametrize("content", ["other", "longer than it was", ""])
def test_what_the_agent_changed_after_it_was_shown_does_not_land(room: LandingRoom, content: str) -> None:
    room.has("file", "old")
    room.wrote("file", "shown")
    room.show()
    room.wrote("file", content)
    landed = room.land()
    assert [each.why for each in landed.conflicts] == ["the agent changed it after you looked"]
    assert (room.person / "file").read_text() == "old"


def test_an_execute_bit_that_was_not_shown_does_not_land(room: LandingRoom) -> None:
    room.wrote("file", "shown")
    room.show()
    (room.upper / "file").chmod(0o755)
    assert room.land().conflicts
    assert not room.tree()


def test_a_file_reached_through_a_link_of_the_agent_does_not_land(room: LandingRoom, tmp_path: Path) -> None:
    room.wrote("folder/file", "shown")
    room.show()
    write(tmp_path / "outside/file", "shown", 0o644)
    (room.upper / "folder/file").unlink()
    (room.upper / "folder").rmdir()
    (room.upper / "folder").symlink_to(tmp_path / "outside")
    assert [each.path for each in room.land().conflicts] == ["folder/file"]
    assert not room.leftovers()


def test_a_folder_replaced_by_a_link_between_diff_and_landing_lets_nothing_out(
    room: LandingRoom, tmp_path: Path
) -> None:
    room.has("folder/file", "old")
    room.has("folder/gone", "old")
    room.wrote("folder/file", "new")
    room.wrote("folder/fresh", "new")
    room.deleted("folder/gone")
    room.show()
    outside = tmp_path / "outside"
    (room.person / "folder").rename(outside)
    (room.person / "folder").symlink_to(outside)
    landed = room.land()
    assert sorted(each.path for each in landed.conflicts) == ["folder/file", "folder/fresh", "folder/gone"]
    assert not landed.paths
    assert sorted(path.name for path in outside.iterdir()) == ["file", "gone"]
    assert (outside / "file").read_text() == "old"


def test_a_conflict_keeps_the_agents_side_as_a_plain_file_that_nobody_can_execute(room: LandingRoom) -> None:
    room.has("deep/tool", "old", mode=0o755)
    room.wrote("deep/tool", "agent", mode=0o755)
    room.show()
    room.has("deep/tool", "person", mode=0o755)
    (conflict,) = room.land().conflicts
    kept = room.layer.kept / conflict.kept
    assert kept.read_text() == "agent"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert (room.person / "deep/tool").read_text() == "person"


def test_a_conflict_does_not_keep_the_rest_from_landing(room: LandingRoom) -> None:
    room.has("one", "old")
    room.has("two", "old")
    room.wrote("one", "agent")
    room.wrote("two", "agent")
    room.show()
    room.has("one", "person")
    landed = room.land()
    assert _paths(landed) == ["two"]
    assert [each.path for each in landed.conflicts] == ["one"]


def test_what_the_look_called_a_conflict_does_not_land(room: LandingRoom) -> None:
    room.wrote("file", "new")
    change = Change(path="file", act=Act.ADDED, agent=file_entry(b"new"), person=None, conflict="both changed it")
    assert [each.why for each in room.land(changes=[change]).conflicts] == ["both changed it"]
    assert not room.tree()


def test_a_folder_with_something_in_it_that_was_not_shown_stays(room: LandingRoom) -> None:
    room.has("folder/file", "old")
    room.deleted("folder")
    room.show()
    room.has("folder/mine", "person")
    landed = room.land()
    assert [each.path for each in landed.conflicts] == ["folder"]
    assert sorted(room.tree()) == ["folder", "folder/mine"]


def test_nothing_is_made_for_what_did_not_land(room: LandingRoom) -> None:
    room.wrote("a/b/c", "shown")
    room.show()
    room.wrote("a/b/c", "other")
    assert room.land().conflicts
    assert not room.tree()


def test_names_of_every_kind_land(room: LandingRoom) -> None:
    names = ["line\nbreak", "\x1b[31mred", "-rf", "quote'\"", "\udcff\udcfe", "n" * 255, "späce ", "a\\b"]
    for name in names:
        room.wrote(name, "new")
    room.land()
    assert sorted(room.tree()) == sorted(names)


def test_holes_stay_holes(room: LandingRoom) -> None:
    with (room.upper / "sparse").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    assert not room.land().conflicts
    landed = (room.person / "sparse").stat()
    assert landed.st_size == 64 << 20
    assert landed.st_blocks * 512 <= 4 << 20


def test_a_hard_link_of_the_persons_keeps_its_content_under_its_other_name(room: LandingRoom, tmp_path: Path) -> None:
    room.has("file", "old")
    os.link(room.person / "file", tmp_path / "other")
    room.wrote("file", "new")
    room.land()
    assert (tmp_path / "other").read_text() == "old"


def test_git_status_never_shows_the_staging_folder(room: LandingRoom) -> None:
    subprocess.run(["git", "init", "-q", str(room.person)], check=True)
    room.wrote("file", "new")
    seen: list[str] = []

    class Status:
        def hit(self, _: str) -> None:
            command = ["git", "-C", str(room.person), "status", "--porcelain", "-uall"]
            seen.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    room.land(changes=[change for change in room.show() if change.path == "file"], faults=Status())
    assert len(seen) > 8
    assert not [each for each in seen if ".aileron" in each]


def test_a_second_landing_in_a_folder_waits_and_then_says_why(room: LandingRoom) -> None:
    with opened(room.person) as one, opened(room.person) as other, only_landing_in(one):
        with pytest.raises(LandingError, match="Another landing"), only_landing_in(other, patience=0.1):
            pass
        # The same descriptor twice is two landings, too.
        with pytest.raises(LandingError, match="Another landing"), only_landing_in(one, patience=0.1):
            pass


@pytest.mark.parametrize("session", ["ses_other", "ses_1"])
def test_what_another_landing_left_in_the_folder_stops_a_landing_and_stays(room: LandingRoom, session: str) -> None:
    write(room.person / f".aileron-landing-{session}" / "3", "what was replaced", 0o644)
    before = room.tree()
    room.wrote("file", "new")
    with pytest.raises(LandingError, match=session):
        room.land()
    assert room.tree() == before
    assert not room.layer.journal.exists()


def test_a_live_workspace_has_nothing_to_land(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="nothing to land"):
        LandingRoom(tmp_path, way=Way.LIVE).land(changes=[])


def test_what_lands_from_a_copy_is_compared_in_the_same_way(tmp_path: Path) -> None:
    room = LandingRoom(tmp_path, way=Way.COPY)
    room.has("file", "old")
    room.wrote("file", "new")
    change = Change(path="file", act=Act.MODIFIED, agent=file_entry(b"new"), person=file_entry(b"old"))
    assert room.land(changes=[change]).paths
    assert (room.person / "file").read_text() == "new"


def test_a_file_too_large_for_the_disk_undoes_everything(room: LandingRoom) -> None:
    room.has("first", "old")
    room.wrote("first", "new")
    room.wrote("second", "x" * 300_000)
    room.show()
    before = room.tree()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(LandingError, match="too large"):
            room.land()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert room.tree() == before
    assert not room.leftovers()
    assert len(room.land().paths) == 2


def _made_unchangeable(path: Path) -> None:
    subprocess.run(["chattr", "+i", str(path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that nobody may change")
def test_one_path_that_may_not_be_changed_does_not_keep_the_rest_from_landing(room: LandingRoom) -> None:
    room.has("held", "old")
    room.has("to-folder", "old")
    room.has("free", "old")
    room.wrote("held", "new")
    room.wrote("free", "new")
    room.wrote("to-folder/inside", "new")
    room.show()
    _made_unchangeable(room.person / "held")
    try:
        landed = room.land()
    finally:
        subprocess.run(["chattr", "-i", str(room.person / "held")], check=True)
    assert _paths(landed) == ["free", "to-folder", "to-folder/inside"]
    assert [each.path for each in landed.conflicts] == ["held"]
    assert "cannot be changed" in landed.conflicts[0].why
    assert not room.leftovers()


def test_a_folder_that_cannot_be_entered_is_a_conflict_of_what_lies_in_it(room: LandingRoom) -> None:
    room.wrote("closed/file", "new")
    room.wrote("open/file", "new")
    room.show()
    (room.person / "closed").write_text("a file, and no folder")
    landed = room.land()
    assert _paths(landed) == ["open/file"]
    assert [each.path for each in landed.conflicts] == ["closed/file"]


def test_a_file_system_without_exact_renames_is_refused_before_anything_is_touched(
    room: LandingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    room.has("file", "old")
    room.wrote("file", "new")
    room.show()
    monkeypatch.setattr(exact_renames, "_renameat2", cannot)
    with pytest.raises(LandingError, match="change places"):
        room.land()
    assert (room.person / "file").read_text() == "old"
    assert not room.leftovers()


def test_nothing_chosen_is_nothing_done(room: LandingRoom) -> None:
    assert room.land(changes=[]) == Landed()
    assert not room.leftovers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; others are somebody else already")
def test_a_daemon_that_is_not_root_lands_what_the_person_may_write_and_names_what_they_may_not() -> None:
    folder = Path(tempfile.mkdtemp(prefix="landing-"))
    try:
        room = LandingRoom(folder)
        for name in ("open/file", "closed/file", "unreadable"):
            room.has(name, "old")
        room.begin()
        for name in ("open/file", "open/new", "closed/file", "closed/new", "secret"):
            room.wrote(name, "new")
        room.deleted("unreadable")
        room.show()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 1234, 1234, follow_symlinks=False)
            path.chmod(0o755 if path.is_dir() else path.stat().st_mode)
        (room.upper / "secret").chmod(0o000)
        (room.person / "unreadable").chmod(0o000)
        (room.person / "closed").chmod(0o555)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgid(1234)
                os.setuid(1234)
                landed = room.land()
                conflicts = sorted(each.path for each in landed.conflicts)
                code = 0 if conflicts == ["closed/file", "closed/new", "secret", "unreadable"] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (room.person / "open/file").read_text() == "new"
        assert (room.person / "open/new").stat().st_uid == 1234
        assert (room.person / "closed/file").read_text() == "old"
        assert (room.person / "unreadable").read_text() == "old"
        assert not room.leftovers()
    finally:
        shutil.rmtree(folder)
