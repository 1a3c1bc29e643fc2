"""Which folders may be handed to a container, by whatever name they are called."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from world import ROOT

from daemon.workspaces.layers.off_limits import MountPoint, OffLimits, Place, holds, place_of, read_mounts, refusal
from daemon.workspaces.layers.opening import open_folder


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
        return refused(folder, off_limits, mounted)


def refused(folder: Path, off_limits: OffLimits, mounted: Sequence[MountPoint] = ()) -> str | None:
    with open_folder(folder) as opened:
        return refusal(place_of(opened.descriptor, opened.path, mounted), off_limits, mounted)


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
        assert refused(folder, off_limits) is not None
    assert refused(machine.project, off_limits) is None  # the link is there, and leads nowhere inside


def test_a_mount_of_it_is_none_either(machine: Machine) -> None:
    def mount(of: Path, at: Path) -> tuple[MountPoint, ...]:
        return MountPoint("8:1", Path("/"), Path("/")), MountPoint("8:1", of, at)

    second = machine.folder / "second"
    (second / "vault").mkdir(parents=True)
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
from daemon.core.failures import Failure
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.opening import open_folder
subprocess.run(["mount", "--bind", {str(machine.home / "actions")!r}, {str(second)!r}], check=True)
off_limits = OffLimits(homes=(pathlib.Path({str(machine.home)!r}),), person=pathlib.Path({str(machine.person)!r}))
for folder in sys.argv[1:]:
    try:
        open_folder(pathlib.Path(folder), off_limits)
        print("opened")
    except Failure as why:
        print("refused")
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, str(second), str(machine.project), str(machine.folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["refused"] * 3, done.stderr


def test_a_folder_is_known_by_what_it_is_and_not_by_its_name() -> None:
    # As a file system that ignores case answers: another name, the same folder.
    home = Place(Path("/people/me"), ((1, 9), (1, 1)), None)
    assert holds(home, Place(Path("/PEOPLE/ME/.AILERON"), ((1, 12), (1, 9), (1, 1)), None))
    assert holds(home, Place(Path("/PEOPLE/ME"), ((1, 9), (1, 1)), None))
    assert not holds(home, Place(Path("/people/me/x"), ((2, 9), (1, 1)), None))


def test_the_kernel_s_list_is_read_with_its_escapes() -> None:
    text = (
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n40 36 8:2 / /a\\040b\\134c rw - x y z\nshort\n"
    )
    assert read_mounts(text) == [
        MountPoint("98:0", Path("/mnt1"), Path("/mnt2"), 36),
        MountPoint("8:2", Path("/"), Path("/a b\\c"), 40),
    ]


def test_what_will_hold_a_home_that_is_not_there_yet_is_no_workspace(machine: Machine) -> None:
    off_limits = OffLimits(homes=(machine.project / "later" / "home",), person=machine.person)
    assert refused(machine.project, off_limits) is not None
    (machine.project / "later").mkdir()
    assert refused(machine.project / "later", off_limits) is not None
    assert refused(machine.project / "src", off_limits) is None
