"""A folder is opened once, without following a link that somebody puts there meanwhile, and checked by what it is."""

import os
import threading
from pathlib import Path

import pytest
from workspaces.conftest import Machine

from daemon.core.failures import Failure
from daemon.workspaces.layers.opening import open_below, open_folder, read_below, reopen


def test_what_was_opened_is_the_folder_that_was_named(machine: Machine) -> None:
    with open_folder(machine.project, machine.off_limits) as opened:
        assert (opened.device, opened.inode) == (machine.project.stat().st_dev, machine.project.stat().st_ino)
        assert Path(opened.for_engine).stat().st_ino == opened.inode
        machine.project.rename(machine.person / "moved")
        (machine.person / "project").mkdir()
        assert Path(opened.for_engine).stat().st_ino == (machine.person / "moved").stat().st_ino


def test_a_link_that_the_person_typed_is_followed(machine: Machine) -> None:
    (machine.person / "link").symlink_to(machine.project)
    with open_folder(machine.person / "link", machine.off_limits) as opened:
        assert opened.path == machine.project


def test_a_folder_that_is_swapped_for_a_link_in_a_loop_never_opens_what_the_link_leads_to(machine: Machine) -> None:
    """The attack of an agent in a sandbox above: the project in turns a folder and a link to the person's home."""
    victim = machine.project / "inner"
    victim.mkdir()
    wanted = victim.stat().st_ino
    stop = threading.Event()

    def swap() -> None:
        aside = machine.project / "aside"
        while not stop.is_set():
            victim.rename(aside)
            victim.symlink_to(machine.person)
            victim.unlink()
            aside.rename(victim)

    thread = threading.Thread(target=swap)
    thread.start()
    opened_one = refused = 0
    try:
        while opened_one + refused < 2000 or not refused or not opened_one:
            try:
                with open_folder(victim, machine.off_limits) as opened:
                    assert opened.inode == wanted
                    opened_one += 1
            except Failure:
                refused += 1
    finally:
        stop.set()
        thread.join()


def test_a_folder_above_that_becomes_a_link_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = machine.project / "a" / "b"
    inner.mkdir(parents=True)
    (machine.folder / "trap" / "b").mkdir(parents=True)
    real = Path.resolve

    def resolve(path: Path, strict: bool = False) -> Path:
        found = real(path, strict)
        if path == inner:  # right after the path was resolved, somebody swaps a folder in it
            (machine.project / "a").rename(machine.project / "old")
            (machine.project / "a").symlink_to(machine.folder / "trap")
        return found

    monkeypatch.setattr(Path, "resolve", resolve)
    with pytest.raises(Failure, match="replaced by a link"):
        open_folder(inner, machine.off_limits)


def test_a_folder_is_reopened_only_if_it_is_the_same(machine: Machine) -> None:
    with open_folder(machine.project) as opened:
        part = opened.part("work", "/workspace")
    reopen(part).close()
    machine.project.rename(machine.person / "away")
    with pytest.raises(Failure, match="is not there"):
        reopen(part)
    machine.project.mkdir()
    with pytest.raises(Failure, match="not the folder that the session began with"):
        reopen(part)
    machine.project.rmdir()
    machine.project.symlink_to(machine.person / "away")
    with pytest.raises(Failure, match="replaced by a link"):
        reopen(part)


def test_nothing_above_and_nothing_through_a_link_is_opened_below(machine: Machine) -> None:
    (machine.project / "a").mkdir()
    (machine.project / "a" / "f").write_text("x")
    (machine.project / "out").symlink_to(machine.person)
    os.mkfifo(machine.project / "pipe")
    (machine.person / "f").write_text("secret")
    with open_folder(machine.project) as opened:
        assert read_below(opened.descriptor, "a/f", most=10) == b"x"
        assert read_below(opened.descriptor, "a/f", most=0) is None
        for path in ("pipe", "a", "none"):
            assert read_below(opened.descriptor, path, most=10) is None
        for path in ("../f", "/etc"):
            with pytest.raises(OSError, match="out of the folder"):
                open_below(opened.descriptor, path)
        assert read_below(opened.descriptor, "out/f", most=10) is None


def test_what_is_no_folder_is_refused_with_what_it_is(machine: Machine) -> None:
    (machine.project / "file").write_text("x")
    for path, said in (("file", "is not a folder"), ("none", "is not there"), ("file/x", "is not a folder")):
        with pytest.raises(Failure, match=said):
            open_folder(machine.project / path)


def test_a_folder_that_may_be_listed_and_not_entered_is_refused_in_words(machine: Machine) -> None:
    for above in machine.project.parents:
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o055)
    machine.project.chmod(0o744)
    me = os.geteuid()
    if me == 0:
        os.seteuid(1000)  # root may enter everything
    else:
        machine.project.chmod(0o644)
    try:
        with pytest.raises(Failure, match="cannot be opened: Permission denied"):
            open_folder(machine.project, machine.off_limits)
    finally:
        os.seteuid(me)
