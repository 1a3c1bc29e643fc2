"""What an agent does to a real layer, as an ordinary user in a real sandbox, is found as it is."""

import os
import subprocess
from pathlib import Path

import pytest
from sandbox.engine import USER, Shell

from daemon.workspaces.layers import record
from daemon.workspaces.looking.changes import look
from daemon.workspaces.looking.handles import same_folder
from daemon.workspaces.values import Act, Change, Kind

pytestmark = pytest.mark.docker

INSIDE = r"""
import os, shutil, socket, sys
os.chdir("/workspace")
def write(path, text="x", mode=0o644):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
def tried(what, *arguments):
    try:
        what(*arguments)
        print("went:", what.__name__, arguments[0])
    except OSError as error:
        print("refused:", what.__name__, arguments[0], error.errno)
write("modified.txt", "agent's")
write("touched.txt", "person's")
os.chmod("chmodded.sh", 0o755)
write("left/changed.txt", "agent's")
os.unlink("gone.txt")
shutil.rmtree("folder")
shutil.rmtree("remade"); write("remade/kept.txt", "kept"); write("remade/new.txt", "new")
os.rename("renamed.txt", "renamed-to.txt")
os.rename("Case.txt", "case.txt")
shutil.move("moved", "moved-to")
os.unlink("file-to-folder"); write("file-to-folder/inner", "x")
shutil.rmtree("folder-to-file"); write("folder-to-file", "x")
shutil.rmtree("folder-to-link"); os.symlink("moved-to", "folder-to-link")
os.symlink("/etc/passwd", "absolute"); os.symlink("../../up", "up"); os.symlink("modified.txt", "inside")
os.mkdir("empty")
write("first", "linked"); os.link("first", "second")
with open("sparse", "wb") as file: file.truncate(1 << 20)
os.mkfifo("fifo")
socket.socket(socket.AF_UNIX).bind("socket")
tried(os.mknod, "whiteout", 0o20000, 0)
tried(os.mknod, "device", 0o20666, os.makedev(1, 3))
os.mkdir("marked")
for name in ("user.overlay.opaque", "user.overlay.redirect", "user.overlay.whiteout"):
    tried(os.setxattr, "marked", name, b"y")
write("marked/file", "x")
write("setuid", "x", 0o4755)
write("attributed.txt", "person's"); tried(os.setxattr, "attributed.txt", "user.note", b"y")
for name in (".GIT", ".g\u200cit", "git~1", "vendor/.git"): write(name + "/config", "[core]")
write("bare/HEAD"); os.makedirs("bare/objects"); os.makedirs("bare/refs"); write("bare/config")
write("new\nline"); write("esc\x1b[2J"); write(os.fsdecode(b"\xff\xfe")); write("a" * 255)
write(".envrc"); write("sub/.vscode/tasks.json"); write("tool", "x", 0o755)
for _ in range(20):
    os.mkdir("d" * 250); os.chdir("d" * 250)
write("deep")
"""
PERSON = ("modified.txt", "touched.txt", "chmodded.sh", "gone.txt", "folder/a", "folder/b/c", "remade/kept.txt",
          "remade/lost.txt", "renamed.txt", "Case.txt", "moved/x", "file-to-folder", "folder-to-file/inner",
          "folder-to-link/inner", "attributed.txt", "left/alone.txt", "left/changed.txt")  # fmt: skip


@pytest.fixture
def found(shell: Shell) -> dict[str, Change]:
    """Run the program in a sandbox over the person's files, and look at what it left."""
    for name in PERSON:
        place = shell.workspace / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("kept" if name == "remade/kept.txt" else "person's")
    for place in (shell.workspace, *shell.workspace.rglob("*")):
        os.chown(place, USER, USER)
    before = listed(shell.workspace)
    ended = shell.inside("aileron-python", "-c", INSIDE)
    assert ended.returncode == 0, ended.stderr
    assert "refused: mknod whiteout" in ended.stdout
    assert "refused: mknod device" in ended.stdout
    assert listed(shell.workspace) == before
    folder = shell.written(ended).parents[1]
    layer = record.read((folder / record.NAME).read_bytes(), folder)
    person = os.open(shell.workspace, os.O_RDONLY | os.O_DIRECTORY)
    left = os.open(shell.workspace / "left", os.O_RDONLY | os.O_DIRECTORY)
    try:
        origin = os.getxattr(layer.upper(layer.work) / "left", "user.overlay.origin")
        assert same_folder(origin, left), "the kernel keeps which folder it was"
        assert same_folder(origin, person) is False
        changes = look(layer, person)
    finally:
        os.close(person)
        os.close(left)
    assert not changes.not_seen
    return {change.path: change for change in changes.items}


def listed(folder: Path) -> str:
    """Return everything below a folder, with modes, times and sizes."""
    return subprocess.run(
        ["find", folder, "-printf", "%P %m %s %T@ %l\\n"], check=True, capture_output=True, text=True
    ).stdout


def test_everything_an_agent_can_make_in_a_layer_is_found_and_nothing_else(found: dict[str, Change]) -> None:
    deleted = {path for path, change in found.items() if change.act is Act.DELETED}
    assert deleted == {"gone.txt", "folder", "folder/a", "folder/b", "folder/b/c", "remade/lost.txt", "renamed.txt",
                       "Case.txt", "moved", "moved/x", "folder-to-file/inner", "folder-to-link/inner"}  # fmt: skip
    modified = {path for path, change in found.items() if change.act is Act.MODIFIED}
    assert modified == {
        "modified.txt",
        "left/changed.txt",
        "chmodded.sh",
        "file-to-folder",
        "folder-to-file",
        "folder-to-link",
    }
    refused = {path for path, change in found.items() if change.refused}
    long = {path for path in found if len(os.fsencode(path)) > 4095}
    assert len(long) == 1
    assert refused - long == {
        "absolute",
        "up",
        "fifo",
        "socket",
        "setuid",
        ".GIT",
        ".g\u200cit",
        "git~1",
        "vendor/.git",
    }
    later = {path for path, change in found.items() if change.later and not change.refused}
    assert later == {"chmodded.sh", "folder-to-link", "inside", "bare/HEAD", "bare/config", "bare/objects", "bare/refs",
                     ".envrc", "sub/.vscode/tasks.json", "tool"}  # fmt: skip
    plain = {path for path, change in found.items() if change.act is Act.ADDED} - refused - later - long
    assert plain == {"remade/new.txt", "renamed-to.txt", "case.txt", "moved-to/x", "file-to-folder/inner", "empty",
                     "first", "second", "sparse", "marked/file", "new\nline", "esc\x1b[2J", "\udcff\udcfe",
                     "a" * 255}  # fmt: skip
    assert not any(change.conflict for change in found.values())
    empty = found["empty"].agent
    assert empty is not None
    assert empty.kind is Kind.FOLDER
