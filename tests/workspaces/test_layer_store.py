"""Layers are kept until somebody looked at them, survive crashes, and go completely when they go."""

import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspaces.conftest import Machine

from daemon.core.failures import Failure, FailureClass
from daemon.workspaces.layers.layer import Layer, State
from daemon.workspaces.layers.layers import Layers, Listing
from daemon.workspaces.layers.site import Site, survey
from daemon.workspaces.layers.walking import allocated, remove_tree
from daemon.workspaces.values import Way

DAY = 86_400


@pytest.fixture
def site(machine: Machine) -> Iterator[Site]:
    machine.repository()
    found = survey(machine.project, machine.off_limits)
    yield found
    found.close()


def made(layers: Layers, site: Site, session: str = "ses_1") -> Layer:
    return layers.create(session, site, agent="codex", label="l", way=Way.OVERLAY, user="1000:1000")


def test_what_is_recorded_is_read_again(layers: Layers, site: Site, machine: Machine) -> None:
    layer = made(layers, site)
    assert layers.get("ses_1") == layer
    assert layer.index.read_bytes() == (machine.project / ".git/index").read_bytes()
    assert (layer.start.branch, layer.start.commit) == ("refs/heads/main", machine.git("rev-parse", "HEAD"))
    assert stat.S_IMODE(layer.folder.stat().st_mode) == 0o700
    upper = layer.upper(layer.work).stat()
    assert stat.S_IMODE(upper.st_mode) == machine.project.stat().st_mode & 0o777
    changed = layers.change("ses_1", landed={"a\udcff\n": "x"}, looked_at=True)
    assert layers.get("ses_1") == changed


def test_the_start_is_told_by_the_clock_of_the_file_system(layers: Layers, site: Site, machine: Machine) -> None:
    before = machine.project / "before"
    before.touch()
    layer = made(layers, site)
    after = machine.project / "after"
    after.touch()
    assert before.stat().st_ctime_ns <= layer.start.wall_ns <= after.stat().st_ctime_ns


def test_an_ended_layer_without_a_change_is_removed_at_once(layers: Layers, site: Site) -> None:
    layer = made(layers, site)
    upper = layer.upper(layer.work)
    (upper / ".git").mkdir()
    (upper / ".git" / "index").write_text("refreshed by git status")
    assert layers.end("ses_1") is None
    assert not layer.folder.exists()
    made(layers, site, "ses_2")
    (layers.get("ses_2").upper(layer.work) / "new").mkdir()
    ended = layers.end("ses_2")
    assert ended is not None
    assert (ended.state, ended.ended_ms) == (State.ENDED, 1_000_000)


@pytest.mark.parametrize("what", ["file", "folder", "link", ".git/HEAD", ".git/hooks"])
def test_whatever_an_agent_writes_keeps_the_layer(layers: Layers, site: Site, what: str) -> None:
    layer = made(layers, site)
    place = layer.upper(layer.work) / what
    place.parent.mkdir(exist_ok=True)
    if what == "link":
        place.symlink_to("x")
    elif what in {"folder", ".git/hooks"}:
        place.mkdir()
    else:
        place.touch()
    assert layers.end("ses_1") is not None


def test_a_layer_whose_daemon_was_killed_is_ended_at_the_next_start(layers: Layers, site: Site) -> None:
    layer = made(layers, site)
    (layer.upper(layer.work) / "work").write_text("x")
    made(layers, site, "ses_2")
    assert [ended.session for ended in layers.recover()] == ["ses_1"]
    assert [each.state for each in layers.all().layers] == [State.ENDED]


def ended(layers: Layers, site: Site, session: str, size: int = 1) -> Layer:
    layer = made(layers, site, session)
    (layer.upper(layer.work) / "work").write_bytes(b"x" * size)
    found = layers.end(session)
    assert found is not None
    return found


def test_a_layer_that_nobody_looked_at_is_never_removed_by_itself(layers: Layers, site: Site, machine: Machine) -> None:
    ended(layers, site, "ses_1", 1_000_000)
    ended(layers, site, "ses_2", 1_000_000)
    machine.clock.ms += 1000 * DAY * 1000
    assert layers.tidy(keep_seconds=DAY, room=0) == []
    layers.change("ses_2", looked_at=True)
    assert layers.tidy(keep_seconds=DAY, room=10**12) == ["ses_2"]
    assert [layer.session for layer in layers.all().layers] == ["ses_1"]


def test_the_oldest_go_first_when_there_is_no_room(layers: Layers, site: Site, machine: Machine) -> None:
    for session in ("ses_1", "ses_2", "ses_3"):
        ended(layers, site, session, 1_000_000)
        layers.change(session, looked_at=True)
        machine.clock.ms += 1000
    assert layers.tidy(keep_seconds=DAY, room=2_500_000) == ["ses_1"]
    assert layers.tidy(keep_seconds=0, room=2_500_000) == []


def test_a_layer_that_is_resumed_while_old_ones_are_removed_stays(
    layers: Layers, site: Site, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(layers, site, "ses_1")
    layers.change("ses_1", looked_at=True)
    machine.clock.ms += 1000 * DAY * 1000
    now = machine.clock.ms

    def resumed_now() -> int:
        if layers.get("ses_1").state is State.ENDED:
            layers.go_on("ses_1", "ses_2")  # after the list was made, before the first one is removed
        return now

    monkeypatch.setattr(machine.clock, "now_ms", resumed_now)
    assert layers.tidy(keep_seconds=DAY, room=0) == []
    layer = layers.get("ses_2")
    assert layer.state is State.OPEN
    assert (layer.upper(layer.work) / "work").read_text() == "x"


def test_a_layer_is_thrown_away_or_resumed_and_never_both(
    layers: Layers, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(layers, site, "ses_1")
    refused: list[Failure] = []

    def resume() -> None:
        try:
            layers.go_on("ses_1", "ses_2")
        except Failure as failure:
            refused.append(failure)

    resuming = threading.Thread(target=resume)
    change = layers.change

    def change_late(session: str, **what: Any) -> Layer:
        if what.get("state") is State.DISCARDED:
            resuming.start()
            resuming.join(0.1)  # as long as it wants, if nothing keeps it back
        return change(session, **what)

    monkeypatch.setattr(layers, "change", change_late)
    layers.discard("ses_1")
    resuming.join()
    assert len(refused) == 1


def test_a_layer_that_is_removed_while_it_is_read_is_gone_and_not_damaged(
    layers: Layers, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ended(layers, site, "ses_1").folder
    aside = folder.with_name(".gone-ses_1")
    read = Path.read_bytes

    def removed_first(place: Path) -> bytes:
        if place.parent == folder and folder.exists():
            folder.rename(aside)
        return read(place)

    monkeypatch.setattr(Path, "read_bytes", removed_first)
    with pytest.raises(Failure) as gone:
        layers.get("ses_1")
    assert gone.value.failure_class is FailureClass.NOT_FOUND
    aside.rename(folder)
    assert layers.all() == Listing((), ())


def test_a_resumed_layer_has_a_new_session_and_the_old_id_still_names_it(layers: Layers, site: Site) -> None:
    ended(layers, site, "ses_1")
    layer = layers.go_on("ses_1", "ses_2")
    assert (layer.session, layer.earlier, layer.state) == ("ses_2", ("ses_1",), State.OPEN)
    assert (layer.upper(layer.work) / "work").read_text() == "x"
    assert layers.get("ses_1") == layer
    with pytest.raises(Failure, match="still open"):
        layers.go_on("ses_1", "ses_3")
    layers.end("ses_2")
    assert layers.go_on("ses_1", "ses_3").earlier == ("ses_1", "ses_2")


def test_a_crash_between_the_two_steps_of_resuming_loses_nothing(layers: Layers, site: Site) -> None:
    layer = ended(layers, site, "ses_1")
    layer.folder.rename(layer.folder.with_name("ses_2"))  # and the record was not written any more
    assert layers.get("ses_1").session == "ses_2"
    assert layers.get("ses_2").state is State.ENDED


def test_what_was_thrown_away_is_gone_also_after_a_crash(layers: Layers, site: Site) -> None:
    layer = ended(layers, site, "ses_1")
    layers.change("ses_1", state=State.DISCARDED)  # and the daemon was killed
    (layer.folder.with_name(".gone-ses_0") / "deep").mkdir(parents=True)
    assert layers.recover() == []
    with pytest.raises(Failure, match="workspace of a session"):
        layers.get("ses_1")
    layers.clear()
    assert list(layer.folder.parent.iterdir()) == []
    made(layers, site, "ses_2")
    with pytest.raises(Failure, match="still runs"):
        layers.discard("ses_2")
    with pytest.raises(Failure, match="workspace of a session"):
        layers.get("ses_1")


def test_a_record_that_cannot_be_read_is_told_and_never_removed(layers: Layers, site: Site) -> None:
    layer = ended(layers, site, "ses_1")
    for damage in (b"{", b"[]", b'{"version": 99}', b'{"version": 1}'):
        (layer.folder / "record.json").write_bytes(damage)
        listing = layers.all()
        assert listing.layers == ()
        assert [name for name, _ in listing.unreadable] == ["ses_1"]
        layers.recover()
        layers.tidy(keep_seconds=1, room=0)
        with pytest.raises(Failure, match="cannot be used"):
            layers.get("ses_1")
    assert (layer.upper(layer.work) / "work").exists()


def test_only_ids_of_sessions_name_folders(layers: Layers, site: Site) -> None:
    for name in ("..", "../x", "/etc", "", ".gone-x", "a/b"):
        with pytest.raises(Failure, match="workspace of a session"):
            layers.get(name)
        with pytest.raises(ValueError, match="not the id"):
            made(layers, site, name)


def test_a_tree_is_removed_without_following_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    (tree / "dead").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    (tree / "a" / "b" / "f").touch()
    (tree / "a" / "b").chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").exists()
    remove_tree(tree)  # and nothing there is fine


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of root's in somebody else's")
def test_an_empty_folder_of_root_s_as_the_kernel_leaves_one_is_removed_by_an_ordinary_user() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o777)
        (folder / "tree" / "work" / "work").mkdir(parents=True)
        (folder / "tree" / "work" / "work").chmod(0)
        for place in (folder / "tree", folder / "tree" / "work"):
            os.chown(place, 1000, 1000)
        child = os.fork()
        if child == 0:
            os.setgid(1000)
            os.setuid(1000)
            code = 1
            try:
                remove_tree(folder / "tree")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not (folder / "tree").exists()


def test_a_tree_is_removed_and_measured_however_deep_it_is(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    descriptor = os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(descriptor, b"x" * 100_000)
    os.close(descriptor)
    os.close(here)
    assert allocated(tree) >= 100_000
    remove_tree(tree)
    assert not tree.exists()


def test_a_tree_with_many_entries_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number in range(3):
        (tree / str(number)).mkdir(parents=True)
        for name in range(1500):
            (tree / str(number) / str(name)).touch()
    remove_tree(tree)
    assert not tree.exists()


def test_what_is_measured_is_room_on_the_disk(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    assert allocated(tmp_path) < 100_000
    (tmp_path / "real").write_bytes(b"x" * 1_000_000)
    one = allocated(tmp_path)
    assert one >= 1_000_000
    os.link(tmp_path / "real", tmp_path / "again")
    assert allocated(tmp_path) < one + 100_000


def test_a_file_system_without_extended_attributes_is_told(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert layers.supports_overlay() == ""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.setxattr", refuse)
    assert "extended attributes" in layers.supports_overlay()
