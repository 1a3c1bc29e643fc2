"""The one writer of files: whole or not at all, whatever fails and whoever is killed."""

import ast
import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults.failing_disk import FailingDisk

from daemon.base.drafts import draft_of, open_draft, remove_abandoned
from daemon.base.files import Draft, NotConfirmedError, create_file, open_regular, replace_file, write_new

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = b"old " * 5_000, b"new " * 7_000

# Runs a write again and again in a child, and kills the child in front of its first call of the system, its second,
# and so on, until one child comes to its end. Prints what lay there after each: old, new, none or torn, and the drafts.
_KILLED = """
import os, signal, sys
from pathlib import Path
import fcntl
from daemon.base import files

old, new = b"old " * 5_000, b"new " * 7_000
path, do = Path(sys.argv[1]), sys.argv[2]
CALLS = ("open", "write", "fsync", "fchmod", "replace", "rename", "link", "unlink", "close")

def armed(number):
    left = [number]
    def counted(real):
        def call(*arguments, **named):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            if real is write:
                # A part first, so that there is a moment with half a draft.
                return write(arguments[0], bytes(arguments[1])[:10_000])
            return real(*arguments, **named)
        return call
    write = os.write
    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    fcntl.flock = counted(fcntl.flock)

for number in range(100):
    if do == "create":
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(old)
    child = os.fork()
    if child == 0:
        armed(number)
        files.replace_file(path, new) if do == "replace" else files.create_file(path, new)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    there = path.read_bytes() if path.exists() else None
    state = {old: "old", new: "new", None: "none"}.get(there, "torn")
    print(state, sorted(each.name for each in path.parent.iterdir() if each != path))
    if status == 0:
        break
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    place = folder / "file.json"
    place.write_bytes(OLD)
    return place


def beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if each != path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def killed_everywhere(path: Path, do: str) -> list[str]:
    command = [sys.executable, "-c", _KILLED, str(path), do]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one_and_the_next_write_clears_up(path: Path) -> None:
    said = killed_everywhere(path, "replace")
    states = [line.split()[0] for line in said]
    assert set(states) == {"old", "new"}, said
    assert states == sorted(states, reverse=True), said  # once it is the new one, it stays that
    assert len(states) > 8
    drafts = [line.partition(" ")[2] for line in said]
    assert set(drafts) == {"[]", "['.file.json.aileron-draft']"}, said  # never more than one, however many were killed
    assert drafts[-1] == "[]"


def test_a_kill_while_a_file_is_created_leaves_the_whole_file_or_none(path: Path) -> None:
    said = killed_everywhere(path, "create")
    assert {line.split()[0] for line in said} == {"none", "new"}, said
    assert said[-1] == "new []"


@pytest.mark.parametrize("word", ["ENOSPC", "EIO", "EIO-SYNC"])
def test_a_failing_disk_leaves_the_old_file_whole_and_nothing_beside_it(path: Path, word: str, tmp_path: Path) -> None:
    # The folder's own sync comes last and is not concerned: `match` is about the draft alone.
    disk = FailingDisk(tmp_path, match=".aileron-draft")
    disk.fail(word)
    script = "import sys; from pathlib import Path; from daemon.base.files import *; "
    for write in ("replace_file", "create_file"):
        place = path if write == "replace_file" else path.with_name("other.json")
        done = subprocess.run(
            [sys.executable, "-c", f"{script}{write}(Path(sys.argv[1]), b'new')", str(place)],
            cwd=ROOT, env={**os.environ, **disk.environment()}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert f"{place}'" in done.stderr.splitlines()[-1]  # the error names the file that could not be written
    assert path.read_bytes() == OLD
    assert beside(path) == []


_HALF = """
import resource, signal, sys
from pathlib import Path
from daemon.base import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for write in (files.replace_file, files.create_file, files.write_new):
    path = Path(sys.argv[1]) if write is files.replace_file else Path(sys.argv[1] + write.__name__)
    try:
        write(path, b"new " * 7_000)
    except OSError as problem:
        assert problem.filename == str(path), problem
        print("refused")
"""


def test_a_disk_that_takes_only_a_part_leaves_the_old_file_whole_and_nothing_beside_it(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HALF, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused"] * 3
    assert path.read_bytes() == OLD
    assert beside(path) == []


def test_two_writers_at_once_each_write_a_whole_file_and_leave_nothing(path: Path) -> None:
    texts = [bytes([letter]) * 50_000 for letter in b"abcd"]
    torn: list[int] = []
    writing = threading.Event()
    writing.set()

    def read() -> None:
        while writing.is_set():
            seen = path.read_bytes()
            if seen != OLD and seen not in texts:
                torn.append(len(seen))

    def write(text: bytes) -> None:
        for _ in range(25):
            replace_file(path, text, durable=False)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    writing.clear()
    reader.join()
    assert torn == []
    assert path.read_bytes() in texts
    assert beside(path) == []


def test_of_many_that_create_one_file_exactly_one_does(path: Path) -> None:
    path.unlink()
    made: list[bytes] = []

    def create(text: bytes) -> None:
        try:
            create_file(path, text)
        except FileExistsError:
            return
        made.append(text)

    threads = [threading.Thread(target=create, args=(bytes([letter]) * 1000,)) for letter in b"abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [path.read_bytes()]
    assert beside(path) == []


def test_a_draft_is_left_alone_while_its_writer_lives_and_removed_afterwards(path: Path) -> None:
    descriptor, draft = open_draft(path, mode=0o600)
    assert not remove_abandoned(draft)
    replace_file(path, NEW)  # beside it, under another name
    assert beside(path) == [draft.name]
    os.close(descriptor)
    assert remove_abandoned(draft)
    assert beside(path) == []


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_mode_is_the_one_that_was_asked_for_whatever_the_umask_and_the_old_file_say(path: Path) -> None:
    path.chmod(0o666)
    replace_file(path, NEW)
    assert mode_of(path) == 0o600
    replace_file(path, NEW, mode=0o444)
    assert mode_of(path) == 0o444
    replace_file(path, OLD, mode=0o644)
    assert (mode_of(path), path.read_bytes()) == (0o644, OLD)
    create_file(path.with_name("private"), NEW)
    create_file(path.with_name("ordinary"), NEW, mode=None)
    os.umask(0o022)
    create_file(path.with_name("usual"), NEW, mode=None)
    write_new(path.with_name("read-only"), NEW, mode=0o400)
    modes = {each.name: mode_of(each) for each in path.parent.iterdir()}
    assert modes == {"file.json": 0o644, "private": 0o600, "ordinary": 0o600, "usual": 0o644, "read-only": 0o400}


def test_a_file_keeps_the_owner_that_is_asked_for(path: Path) -> None:
    owner = (os.geteuid(), os.getegid())
    replace_file(path, NEW, mode=0o640, owner=owner)
    seen = path.stat()
    assert ((seen.st_uid, seen.st_gid), mode_of(path)) == (owner, 0o640)


def failing_sync_of_folders(code: int) -> Callable[[int], None]:
    real = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    return sync


def test_a_new_file_that_the_disk_did_not_confirm_is_not_reported_as_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing_sync_of_folders(errno.EIO))
    with pytest.raises(NotConfirmedError, match=r"file\.json"):
        replace_file(path, NEW)
    assert path.read_bytes() == NEW
    with pytest.raises(NotConfirmedError):
        create_file(path.with_name("other"), NEW)
    assert path.with_name("other").read_bytes() == NEW


def test_a_file_system_that_cannot_sync_folders_can_be_written_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing_sync_of_folders(errno.EINVAL))
    replace_file(path, NEW)
    assert path.read_bytes() == NEW


def test_a_link_at_the_path_is_replaced_and_what_it_points_to_stays(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    replace_file(link, NEW)
    assert not link.is_symlink()
    assert (link.read_bytes(), path.read_bytes()) == (NEW, OLD)


def test_a_link_at_the_place_of_the_draft_is_never_written_through(path: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text("kept")
    draft_of(path).symlink_to(trap)
    replace_file(path, NEW)
    assert trap.read_text() == "kept"
    assert path.read_bytes() == NEW
    assert beside(path) == []


def test_nothing_is_created_over_a_file_or_a_dangling_link(path: Path) -> None:
    dangling = path.with_name("dangling")
    dangling.symlink_to("nowhere")
    for place in (path, dangling):
        with pytest.raises(FileExistsError):
            create_file(place, NEW)
        with pytest.raises(FileExistsError):
            write_new(place, NEW)
    assert path.read_bytes() == OLD
    assert dangling.is_symlink()
    assert beside(path) == ["dangling"]


def test_where_there_are_no_hard_links_nothing_is_created_over_a_file_either(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(FileExistsError):
        create_file(path, NEW)
    other = path.with_name("other")
    create_file(other, NEW)
    assert (path.read_bytes(), other.read_bytes()) == (OLD, NEW)
    assert beside(path) == ["other"]


def test_a_name_of_the_longest_length_can_be_written(path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        place = path.with_name(name)
        replace_file(place, NEW)
        assert place.read_bytes() == NEW
        place.unlink()
    assert beside(path) == []


def test_a_draft_that_is_not_put_in_place_goes(path: Path) -> None:
    with Draft(path) as draft:
        draft.write(NEW)
        draft.sync()
    assert path.read_bytes() == OLD
    assert beside(path) == []


def test_only_a_regular_file_is_opened_and_a_pipe_is_not_waited_for(path: Path) -> None:
    os.close(open_regular(path))
    pipe, link = path.with_name("pipe"), path.with_name("link")
    os.mkfifo(pipe)
    link.symlink_to(path)
    for place in (pipe, link, path.parent):
        with pytest.raises(OSError):  # noqa: PT011 (ELOOP, EISDIR or ours, by what it is)
            open_regular(place)


# Where a file gets its name in another way, and why that is not the writer's business.
ELSEWHERE = {
    "daemon/base/files.py": "the writer",
    "daemon/connectors/store.py": "folders that are renamed as a whole",
    "daemon/connectors/wasm/cache.py": "a program that the compiler wrote, whole, in another process",
    "daemon/custody/restoring.py": "homes that change places as a whole",
    "daemon/tools/servers/keeping/log.py": "a log that begins a new file when the old one is full",
    "daemon/workspaces/commits/index_lock.py": "the index that git itself wrote anew, and its lock",
    "daemon/workspaces/layers/layers.py": "folders that are renamed as a whole",
    "daemon/workspaces/landing/staging.py": "folders below descriptors",
    "daemon/workspaces/layers/walking.py": "folders below descriptors",
}


def _gives_names(call: ast.Call) -> bool:
    """Say whether a call renames: `os.rename(...)`, `os.link(...)`, or `.replace(x)` of a path, which takes one."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in {"rename", "renames", "link", "hardlink_to"}:
        return True
    return function.attr == "replace" and len(call.args) == 1 and not call.keywords


def test_no_room_has_a_writer_of_its_own() -> None:
    found = set()
    for package in ("daemon", "launchers", "aileron_mcp"):
        for file in sorted((ROOT / package).rglob("*.py")):
            calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            if any(_gives_names(call) for call in calls):
                found.add(str(file.relative_to(ROOT)))
    assert found == set(ELSEWHERE)
