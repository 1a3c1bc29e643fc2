"""Which folders may be handed to a container, by whatever name they are called."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from world import ROOT

from daemon.sandbox.workspaces import MountPoint, OffLimits, holds, read_mounts, refusal


class Machine:
    """A person's home with a project, and homes of Aileron."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.person = folder / "people" / "me"
        self.project = self.person / "project"
        self.home = self.person / ".aileron"
        self.elsewhere = folder / "data" / "aileron"
        self.socket = folder / "run" / "engine" / "docker.sock"
        for made in (self.project / "src", self.home / "actions", self.elsewhere / "vault", self.socket.parent):
            made.mkdir(parents=True)
        self.socket.touch()

    def refused(self, folder: Path, *mounted: MountPoint) -> str | None:
        off_limits = OffLimits(homes=(self.home, self.elsewhere), person=self.person, sockets=(self.socket,))
        return refusal(folder, off_limits, mounted=mounted)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_project_in_the_person_s_home_may_be_one(machine: Machine) -> None:
    for folder in (machine.project, machine.project / "src", machine.person / ".aileron-notes"):
        folder.mkdir(exist_ok=True)
        assert machine.refused(folder) is None


NAMES: dict[str, Callable[[Machine], Path]] = {
    "the home": lambda m: m.home,
    "the actions in it": lambda m: m.home / "actions",
    "what is not there yet": lambda m: m.home / "new" / "deep",
    "a home elsewhere": lambda m: m.elsewhere,
    "the vault in a home elsewhere": lambda m: m.elsewhere / "vault",
    "what holds a home": lambda m: m.elsewhere.parent,
    "the person's home": lambda m: m.person,
    "what holds the person's home": lambda m: m.person.parent,
    "everything": lambda _: Path("/"),
    "what holds the engine's socket": lambda m: m.socket.parent,
    "with a step back": lambda m: m.project / ".." / ".aileron" / "actions",
    "with a slash too many": lambda m: Path(f"{m.home}//actions/./"),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_at_or_around_a_home_is_no_workspace(machine: Machine, name: str) -> None:
    said = machine.refused(NAMES[name](machine))
    assert said is not None
    assert "Work in the folder of a project." in said


@pytest.mark.parametrize("name", NAMES)
def test_a_link_to_it_is_none_either(machine: Machine, name: str) -> None:
    link = machine.project / "link"
    link.symlink_to(NAMES[name](machine))
    assert machine.refused(link) is not None
    assert machine.refused(machine.project / "src" / ".." / "link") is not None


def test_a_home_that_is_a_link_is_where_it_leads(machine: Machine) -> None:
    real = machine.folder / "real"
    (real / "actions").mkdir(parents=True)
    link = machine.project / "home"
    link.symlink_to(real)
    off_limits = OffLimits(homes=(link,), person=machine.person)
    for folder in (real, real / "actions", machine.folder):
        assert refusal(folder, off_limits, mounted=()) is not None
    assert refusal(machine.project, off_limits, mounted=()) is None  # the link is there, and leads nowhere inside


def test_a_mount_of_it_is_none_either(machine: Machine) -> None:
    def mount(of: Path, at: Path) -> tuple[MountPoint, ...]:
        return MountPoint("8:1", Path("/"), Path("/")), MountPoint("8:1", of, at)

    second = machine.folder / "second"
    for of in (machine.home, machine.home / "actions", machine.person, machine.elsewhere.parent, Path("/")):
        assert machine.refused(second, *mount(of, second)) is not None, of
    assert machine.refused(second / "vault", *mount(machine.elsewhere, second)) is not None
    assert machine.refused(second, *mount(machine.project, second)) is None
    other = MountPoint("8:2", machine.home, second)  # the same path on another disk
    assert machine.refused(second, MountPoint("8:1", Path("/"), Path("/")), other) is None


def test_a_folder_in_which_it_is_mounted_is_none_either(machine: Machine) -> None:
    below = machine.project / "src"
    root = MountPoint("8:1", Path("/"), Path("/"))
    for of in (machine.home, machine.home / "actions", machine.person, machine.elsewhere.parent):
        assert machine.refused(machine.project, root, MountPoint("8:1", of, below)) is not None
    assert machine.refused(machine.project, root, MountPoint("8:1", Path("/data/other"), below)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_real_mount_of_it_is_found(machine: Machine) -> None:
    second = machine.project / "second"
    second.mkdir()
    script = f"""
import pathlib, subprocess, sys
from daemon.sandbox.workspaces import OffLimits, refusal
subprocess.run(["mount", "--bind", {str(machine.home / "actions")!r}, {str(second)!r}], check=True)
off_limits = OffLimits(homes=(pathlib.Path({str(machine.home)!r}),), person=pathlib.Path({str(machine.person)!r}))
for folder in sys.argv[1:]:
    print(refusal(pathlib.Path(folder), off_limits) is not None)
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, str(second), str(machine.project), str(machine.folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True", "True"], done.stderr


def test_another_spelling_of_the_same_folder_is_the_same(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a file system that ignores case answers: another name, the same folder.
    real = Path.stat
    shouted = machine.folder / "PEOPLE"

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.is_relative_to(shouted):
            path = machine.folder / "people" / Path(str(path.relative_to(shouted)).lower())
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    for folder in (shouted / "ME" / ".AILERON", shouted / "ME" / ".AILERON" / "ACTIONS", shouted / "ME", shouted):
        assert machine.refused(folder) is not None
    assert machine.refused(shouted / "ME" / "PROJECT") is None


def test_the_kernel_s_list_is_read_with_its_escapes() -> None:
    text = (
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n40 36 8:2 / /a\\040b\\134c rw - x y z\nshort\n"
    )
    assert read_mounts(text) == [
        MountPoint("98:0", Path("/mnt1"), Path("/mnt2")),
        MountPoint("8:2", Path("/"), Path("/a b\\c")),
    ]
    assert holds(Path("/"), Path("/a b\\c/d"), ())
