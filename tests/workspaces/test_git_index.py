"""Git's index is read by hand as git writes it, and nothing that is damaged is believed."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.workspaces.looking.git_index import GitIndex, IndexDamaged


def git(folder: Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True).stdout


def made(folder: Path, *, version: str = "2", algorithm: str = "sha1") -> Path:
    git(folder, "init", "-q", f"--object-format={algorithm}")
    git(folder, "config", "index.version", version)
    for name in (b"a", b"dir/one", b"dir/two", b"new\nline", b"\xff\xfe", b"x" * 200, b"d/" * 100 + b"deep"):
        place = os.fsencode(folder) + b"/" + name
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120 (names that are bytes)
        with open(place, "wb") as file:  # noqa: PTH123
            file.write(name)
    (folder / "a").chmod(0o755)
    git(folder, "add", "-A")
    return folder / ".git" / "index"


@pytest.mark.parametrize("version", ["2", "4"])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_every_path_has_the_id_and_the_times_that_git_says(tmp_path: Path, version: str, algorithm: str) -> None:
    index = GitIndex.read(made(tmp_path, version=version, algorithm=algorithm))
    listed = git(tmp_path, "ls-files", "-sz").split(b"\0")[:-1]
    assert len(index) == len(listed) == 7
    for line in listed:
        head, _, path = line.partition(b"\t")
        mode, object_id, _ = head.split()
        tracked = index.get(path)
        assert tracked is not None
        assert tracked.id == object_id.decode()
        assert tracked.algorithm == algorithm
        assert tracked.executable == (mode == b"100755")
        status = os.stat(os.fsencode(tmp_path) + b"/" + path)  # noqa: PTH116
        assert (tracked.mtime_ns, tracked.size) == (status.st_mtime_ns, status.st_size)


def test_what_is_not_meant_to_be_in_the_folder_or_is_being_merged_is_not_known(tmp_path: Path) -> None:
    place = made(tmp_path)
    git(tmp_path, "update-index", "--skip-worktree", "dir/one")
    (tmp_path / "intended").write_text("x")
    git(tmp_path, "add", "-N", "intended")
    blob = git(tmp_path, "hash-object", "-w", "a").decode().strip()
    staged = f"0 {'0' * 40}\tdir/two\n100644 {blob} 1\tdir/two\n100644 {blob} 2\tdir/two\n"
    subprocess.run(["git", "update-index", "--index-info"], cwd=tmp_path, input=staged.encode(), check=True)
    index = GitIndex.read(place)
    assert index.get(b"dir/one") is None
    assert index.get(b"dir/two") is None
    assert index.get(b"intended") is None
    assert index.get(b"a") is not None


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_index_is_refused_or_read_and_never_worse(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    for version in ("2", "4"):
        whole = bytearray(_kept(tmp_path_factory, version))
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(whole)))
        for damaged in (bytes(whole), bytes(whole[:cut])):
            try:
                GitIndex(damaged)
            except IndexDamaged:
                continue


_MADE: dict[str, bytes] = {}


def _kept(factory: pytest.TempPathFactory, version: str) -> bytes:
    if version not in _MADE:
        _MADE[version] = made(factory.mktemp("index"), version=version).read_bytes()
    return _MADE[version]
