"""A backup that was made to do harm writes nothing anywhere: every path, kind and size in it is checked first."""

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from custody.homes import contents, furnish

from daemon.custody.manifest import MANIFEST, BackupError
from daemon.custody.restoring import restore
from daemon.custody.unpacking import check, unpack

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def good(backup: Path) -> Members:
    """Offer the members of a backup that nobody touched."""
    with tarfile.open(backup) as archive:
        return [(member, (archive.extractfile(member) or io.BytesIO()).read()) for member in archive]


def write(path: Path, members: Members, *, form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w:gz", format=form) as archive:
        for member, data in members:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return path


def plain(
    name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, 0o600
    return member, data


PUT_IN: dict[str, tuple[tarfile.TarInfo, bytes]] = {
    "a path upwards": plain("home/../../evil"),
    "a path upwards in the middle": plain("home/actions/../../evil"),
    "an absolute path": plain("/tmp/evil"),
    "an absolute path behind the folder": plain("home//tmp/evil"),
    "a path beside the home": plain("evil"),
    "a path with a dot": plain("home/./evil"),
    "a backslash": plain("home/..\\evil"),
    "a line break": plain("home/actions/a\nb"),
    "a sign that turns the text": plain("home/actions/\u202eevil"),
    "a symbolic link": plain("home/actions/link", kind=tarfile.SYMTYPE, link="/etc"),
    "a hard link": plain("home/actions/link", kind=tarfile.LNKTYPE, link="home/vault.json"),
    "a device": plain("home/actions/device", kind=tarfile.CHRTYPE),
    "a pipe": plain("home/actions/pipe", kind=tarfile.FIFOTYPE),
    "a folder": plain("home/actions", kind=tarfile.DIRTYPE),
    "compiled code for the cache": plain("home/cache/wasm/evil"),
    "the same on a file system that folds case": plain("home/Cache/wasm/evil"),
    "another daemon's token": plain("home/daemon.json"),
    "a key for tokens": plain("home/ca/session.key"),
    "a journal for the database": plain("home/aileron.db-wal"),
    "a file that is there already": plain("home/vault.json"),
    "the same in capitals": plain("home/VAULT.json"),
    "a file that the manifest does not name": plain("home/actions/more.md"),
}


@pytest.mark.parametrize("name", PUT_IN)
def test_what_was_put_in_is_refused_and_nothing_is_written(good: Members, tmp_path: Path, name: str) -> None:
    furnish(tmp_path / "home")
    before = contents(tmp_path / "home")
    members = [*good[:3], PUT_IN[name], *good[3:]]
    if name.startswith("a file that is there") or name.endswith("capitals"):
        members = [*good[:-1], PUT_IN[name], good[-1]]
    path = write(tmp_path / "bad", members)
    for use in (check, lambda path: restore(path, tmp_path / "home", stamp="x")):
        with pytest.raises(BackupError):
            use(path)
    assert contents(tmp_path / "home") == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad", "home"]
    assert not Path("/tmp/evil").exists()


def _without(name: str) -> Callable[[Members], Members]:
    return lambda members: [each for each in members if each[0].name != name]


def _with_manifest(members: Members, **changes: object) -> Members:
    said = json.loads(members[-1][1])
    return [*members[:-1], (members[-1][0], json.dumps({**said, **changes}).encode())]


CHANGED: dict[str, Callable[[Members], Members]] = {
    "no manifest": _without(MANIFEST),
    "no vault": _without("home/vault.json"),
    "a changed vault": lambda ms: [(m, b"other" if m.name == "home/vault.json" else data) for m, data in ms],
    "a file behind the manifest": lambda ms: [*ms, plain("home/actions/more.md")],
    "two manifests": lambda ms: [*ms, ms[-1]],
    "a form of a later version": lambda ms: _with_manifest(ms, format=9),
    "a manifest of another kind": lambda ms: [*ms[:-1], (ms[-1][0], b"[]")],
    "nothing but a manifest": lambda ms: _with_manifest(ms[-1:], files={}),
    "a head of another log": lambda ms: _with_manifest(ms, about={**json.loads(ms[-1][1])["about"], "head_seq": 2}),
    "a newer database": lambda ms: _with_manifest(ms, about={**json.loads(ms[-1][1])["about"], "revision": "9999"}),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_backup_that_is_not_whole_is_not_restored(good: Members, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "bad", CHANGED[name](good))
    with pytest.raises(BackupError):
        restore(path, tmp_path / "new", stamp="x")
    assert not list(tmp_path.glob("new*"))


def _unzipped(data: bytes) -> bytes | None:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def test_a_backup_that_is_cut_off_or_changed_anywhere_is_not_restored(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for place in range(0, len(whole), len(whole) // 25):
        (tmp_path / "bad").write_bytes(whole[:place])
        with pytest.raises(BackupError):
            check(tmp_path / "bad")
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (tmp_path / "bad").write_bytes(changed)
        if _unzipped(changed) != _unzipped(whole):  # some bytes of packed text can be others and mean the same
            with pytest.raises(BackupError):
                check(tmp_path / "bad")
    for nonsense in (b"", b"hello", gzip.compress(b"hello"), gzip.compress(b"\0" * 2048)):
        (tmp_path / "bad").write_bytes(nonsense)
        with pytest.raises(BackupError):
            check(tmp_path / "bad")


def test_a_header_that_would_fill_the_memory_is_refused(good: Members, tmp_path: Path) -> None:
    member, _ = plain("home/actions/more.md")
    member.pax_headers = {"comment": "x" * 5_000_000}
    path = write(tmp_path / "bad", [*good[:3], (member, b"x"), *good[3:]], form=tarfile.PAX_FORMAT)
    with pytest.raises(BackupError, match="header"):
        check(path)


def test_a_backup_that_unpacks_to_more_than_the_disk_takes_is_refused(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(BackupError, match="no room"):
        unpack(backup, tmp_path / "new", most=10_000)
