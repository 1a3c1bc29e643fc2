"""A copy is made without following links, of what is not ignored, and says what it could not take along."""

import os
import threading
from contextlib import closing
from pathlib import Path

import pytest
from workspaces.conftest import Machine

from daemon.core.failures import Failure
from daemon.workspaces.layers import manifest
from daemon.workspaces.layers.copying import Progress, copy_site
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.layers import Layers
from daemon.workspaces.layers.site import survey
from daemon.workspaces.layers.tracked import of_paths
from daemon.workspaces.values import Kind, Way


def copied(machine: Machine, layers: Layers, *, spare: int = 0) -> tuple[Layer, list[str], Progress]:
    progress = Progress()
    with closing(survey(machine.project, machine.off_limits)) as site:
        layer = layers.create("ses_1", site, agent="codex", label="", way=Way.COPY, user="")
        return layer, copy_site(site, layer, progress, spare=spare), progress


def remembered(layer: Layer) -> dict[str, manifest.Remembered]:
    return {each.path: each for each in manifest.read(layer.manifest(layer.work))}


def test_everything_is_copied_and_remembered_with_both_looks(machine: Machine, layers: Layers) -> None:
    project = machine.project
    (project / "a" / "b").mkdir(parents=True)
    (project / "a" / "b" / "run").write_text("#!/bin/sh\n")
    (project / "a" / "b" / "run").chmod(0o755)
    (project / "link").symlink_to("a/b")
    odd = os.fsdecode(b"line\nend\xff")
    (project / odd).write_text("odd")
    layer, notes, progress = copied(machine, layers)
    copy = layer.upper(layer.work)
    assert notes == []
    assert (copy / "a" / "b" / "run").read_text() == "#!/bin/sh\n"
    assert (copy / "link").readlink() == Path("a/b")
    assert (copy / odd).read_text() == "odd"
    assert (progress.files, progress.running) == (5, False)
    found = remembered(layer)
    assert {path: each.kind for path, each in found.items()} == {
        "a": Kind.FOLDER,
        "a/b": Kind.FOLDER,
        "a/b/run": Kind.FILE,
        "link": Kind.LINK,
        odd: Kind.FILE,
    }
    for path in ("a/b/run", "link", odd):
        for look, folder in ((found[path].person, project), (found[path].copy, copy)):
            assert look == manifest.Look.of((folder / path).lstat())
    assert found["a/b/run"].executable
    assert not found[odd].executable
    assert (project / "a/b/run").stat().st_mtime_ns == (copy / "a/b/run").stat().st_mtime_ns


def test_ignored_files_are_left_out_by_git_s_rules_and_the_rest_is_there(machine: Machine, layers: Layers) -> None:
    machine.repository()
    (machine.project / ".gitignore").write_text("build/\n*.o\n!kept.o\n")
    for name in ("build/x", "a.o", "kept.o", "src/build/y", "src/new", "src/.gitignore", "src/secret"):
        (machine.project / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.project / name).write_text("secret\n" if name.endswith(".gitignore") else "x")
    layer, notes, _ = copied(machine, layers)
    copy = layer.upper(layer.work)
    there = {str(path.relative_to(copy)) for path in copy.rglob("*") if ".git" not in path.relative_to(copy).parts}
    assert there == {".gitignore", "kept.o", "src", "src/new", "src/.gitignore", "file"}
    assert notes == []
    assert machine.git("status", "--porcelain", at=copy) == machine.git("status", "--porcelain")


def test_no_program_that_the_repository_names_runs_while_it_is_copied(machine: Machine, layers: Layers) -> None:
    machine.repository()
    canary = machine.folder / "ran"
    program = machine.folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {canary}\n")
    program.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.x.clean",
        "filter.x.process",
        "core.sshCommand",
        "core.pager",
        "alias.ls-files",
    ):
        machine.git("config", key, str(program))
    machine.git("config", "core.hooksPath", str(machine.folder))
    (machine.project / ".gitattributes").write_text("* filter=x\n")
    (machine.project / ".git" / "hooks" / "post-index-change").symlink_to(program)
    copied(machine, layers)
    assert not canary.exists()


def test_what_is_no_file_is_left_out_and_named(machine: Machine, layers: Layers) -> None:
    os.mkfifo(machine.project / "pipe")
    (machine.project / "file").write_text("x")
    layer, notes, _ = copied(machine, layers)
    assert notes == ["pipe was left out of the copy."]
    assert [path.name for path in layer.upper(layer.work).iterdir()] == ["file"]


def test_a_link_that_appears_while_it_is_copied_is_not_followed(machine: Machine, layers: Layers) -> None:
    secret = machine.person / "secret"
    secret.mkdir()
    (secret / "key").write_text("SECRET")
    for number in range(50):
        (machine.project / f"d{number:02}").mkdir()
        (machine.project / f"d{number:02}" / "key").write_text("mine")
    over = threading.Event()

    def swap() -> None:
        aside = machine.project / "aside"
        while not over.is_set():
            for number in range(50):
                place = machine.project / f"d{number:02}"
                place.rename(aside)
                place.symlink_to(secret)
                place.unlink()
                aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for session in range(10):
            with closing(survey(machine.project, machine.off_limits)) as site:
                layer = layers.create(f"ses_{session}", site, agent="", label="", way=Way.COPY, user="")
                copy_site(site, layer, Progress(), spare=0)
            copy = layer.upper(layer.work)
            read = {path.read_text() for path in copy.rglob("key") if not path.parent.is_symlink()}
            assert read <= {"mine"}
    finally:
        over.set()
        thread.join()


def test_a_file_that_grows_while_it_is_copied_ends_and_is_named(machine: Machine, layers: Layers) -> None:
    growing = machine.project / "log"
    growing.write_bytes(b"x" * 1000)
    over = threading.Event()

    def grow() -> None:
        with growing.open("ab") as file:
            while not over.is_set():
                file.write(b"y" * 4096)
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        _, notes, _ = copied(machine, layers)
    finally:
        over.set()
        thread.join()
    assert notes in ([], ["log changed while it was copied."])


def test_holes_stay_holes(machine: Machine, layers: Layers) -> None:
    with (machine.project / "sparse").open("wb") as file:
        file.truncate(2**36)
        file.seek(2**30)
        file.write(b"data")
    layer, _, _ = copied(machine, layers)
    copy = layer.upper(layer.work) / "sparse"
    assert copy.stat().st_size == 2**36
    assert copy.stat().st_blocks * 512 < 10**6
    with copy.open("rb") as file:
        file.seek(2**30)
        assert file.read(4) == b"data"


def test_without_room_the_copy_ends_with_what_to_do(machine: Machine, layers: Layers) -> None:
    for number in range(600):
        (machine.project / str(number)).touch()
    with pytest.raises(Failure, match="Make room"):
        copied(machine, layers, spare=2**62)


def test_a_copy_that_nobody_waits_for_any_more_ends(machine: Machine, layers: Layers) -> None:
    (machine.project / "file").touch()
    with closing(survey(machine.project, machine.off_limits)) as site:
        layer = layers.create("ses_1", site, agent="", label="", way=Way.COPY, user="")
        progress = Progress(stopped=True)
        with pytest.raises(Failure, match="The launch ended"):
            copy_site(site, layer, progress, spare=0)
    assert not progress.running


def test_a_damaged_manifest_is_noticed(machine: Machine, layers: Layers) -> None:
    layer, _, _ = copied(machine, layers)
    layer.manifest(layer.work).write_text('["a"]\n')
    with pytest.raises(ValueError, match="damaged"):
        list(manifest.read(layer.manifest(layer.work)))


def test_a_submodule_is_copied_whole() -> None:
    chosen = of_paths(["a/b", "sub/"])
    assert all(chosen.has(path) for path in ("a", "a/b", "sub", "sub/x/y", ".git", ".git/HEAD"))
    assert not any(chosen.has(path) for path in ("a/c", "b", "su", "subs"))
