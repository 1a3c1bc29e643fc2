"""The content-addressed store: what is in it is what its hash says, every time it is used."""

import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from releases import NOW_MS, Signer, open_store, record, release

from daemon.connectors.archive import Release
from daemon.connectors.store import DamagedConnector, StoredConnector
from daemon.connectors.verdict import SignatureState
from daemon.core.digests import connector_hash
from daemon.core.failures import Failure, FailureClass

HASH = connector_hash(release().wasm, release().manifest)


def folder(root: Path, content_hash: str = HASH) -> Path:
    return root / "connectors" / "sha256" / content_hash.removeprefix("sha256:")


def staging(root: Path) -> list[Path]:
    return list((root / "connectors" / "staging").iterdir())


def test_a_published_connector_lies_under_its_hash_readable_by_its_owner_only(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    stored, added = store.publish(Signer("a").sign(release()), record())
    assert (stored.hash, added) == (HASH, True)
    assert str(stored.manifest.name) == "github://acme/slack"
    content = folder(tmp_path)
    assert sorted(entry.name for entry in content.iterdir()) == [
        "connector.wasm",
        "installed.json",
        "manifest.toml",
        "signature.sig",
    ]
    assert all(stat.S_IMODE(entry.stat().st_mode) == 0o400 for entry in content.iterdir())
    for parent in (content, content.parent, content.parent.parent, tmp_path):
        assert stat.S_IMODE(parent.stat().st_mode) == 0o700
    assert staging(tmp_path) == []


def test_a_connector_is_found_again_after_a_restart(tmp_path: Path) -> None:
    published, _ = open_store(tmp_path).publish(release(), record())
    assert open_store(tmp_path).verified(HASH) == published


def test_an_unknown_hash_is_not_there_and_a_path_is_no_hash(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.verified("sha256:" + "0" * 64) is None
    for text in ("", "sha256:..", "sha256:../../x", "0" * 64, "sha256:" + "A" * 64, HASH + "\n"):
        assert store.verified(text) is None
        assert store.remove(text) is False


@pytest.mark.parametrize("name", ["connector.wasm", "manifest.toml"])
def test_a_changed_byte_is_found_before_the_next_use(tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    assert store.fresh(HASH) is not None
    path = folder(tmp_path) / name
    times = path.stat()
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    path.chmod(0o400)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the status change time still tells
    assert store.fresh(HASH) is None
    for _ in range(2):
        with pytest.raises(Failure, match="changed on disk") as caught:
            store.verified(HASH)
        assert caught.value.failure_class is FailureClass.HASH_MISMATCH


@pytest.mark.parametrize("name", ["connector.wasm", "manifest.toml"])
@pytest.mark.parametrize("what", ["gone", "link", "folder", "pipe"])
def test_a_file_that_is_gone_or_something_else_is_found(tmp_path: Path, name: str, what: str) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    path = folder(tmp_path) / name
    path.rename(tmp_path / "moved")
    if what == "link":
        path.symlink_to(tmp_path / "moved")
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    with pytest.raises(Failure) as caught:
        store.verified(HASH)
    assert caught.value.failure_class is FailureClass.HASH_MISMATCH


def test_a_touched_file_with_the_same_content_is_still_good(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    os.utime(folder(tmp_path) / "connector.wasm", ns=(1, 1))
    assert store.fresh(HASH) is None
    assert store.verified(HASH) is not None
    assert store.fresh(HASH) is not None


def test_a_file_written_just_now_is_hashed_again_because_its_status_could_hide_a_second_write(tmp_path: Path) -> None:
    store = open_store(tmp_path, now_ms=NOW_MS - 10**12)
    store.publish(release(), record())
    assert store.fresh(HASH) is None
    assert store.verified(HASH) is not None


def test_leftovers_of_a_crash_are_cleared_away_when_the_store_opens(tmp_path: Path) -> None:
    open_store(tmp_path)
    left = tmp_path / "connectors" / "staging" / "abc"
    left.mkdir()
    (left / "connector.wasm").write_bytes(b"half")
    (left.parent / "file").write_bytes(b"half")
    (left.parent / "link").symlink_to(tmp_path)
    open_store(tmp_path)
    assert staging(tmp_path) == []
    assert tmp_path.exists()


class Stop(Exception):
    """Stands for the end of the process."""


class StopAt:
    def __init__(self, name: str) -> None:
        self.name = name

    def hit(self, name: str) -> None:
        if name == self.name:
            raise Stop


@pytest.mark.parametrize(("point", "there"), [("connector.before_publish", False), ("connector.after_publish", True)])
def test_a_crash_leaves_a_whole_connector_or_none(tmp_path: Path, point: str, there: bool) -> None:
    store = open_store(tmp_path)
    store._faults = StopAt(point)
    with pytest.raises(Stop):
        store.publish(release(), record())
    assert (open_store(tmp_path).verified(HASH) is not None) is there


def test_publishing_the_same_content_at_once_happens_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(store.publish(release(), record())[1])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert staging(tmp_path) == []


def test_publishing_again_mends_a_damaged_connector(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    path = folder(tmp_path) / "connector.wasm"
    path.chmod(0o600)
    path.write_bytes(b"evil")
    _, added = store.publish(release(), record())
    assert added
    assert store.verified(HASH) is not None
    assert staging(tmp_path) == []


def test_a_signature_that_came_later_is_taken_over_and_a_missing_one_takes_nothing_away(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    signed = Signer("a").sign(release())
    trusted = record(SignatureState.TRUSTED, "0123456789abcdef")
    stored, added = store.publish(signed, trusted)
    assert (stored.record, added) == (trusted, False)
    assert store.read(HASH).signature == signed.signature
    stored, _ = store.publish(release(), record())
    assert stored.record == trusted
    assert store.read(HASH).signature == signed.signature


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"version": 1}'])
def test_a_damaged_install_record_says_that_nobody_knows_who_signed(tmp_path: Path, text: str) -> None:
    open_store(tmp_path).publish(release(), record())
    path = folder(tmp_path) / "installed.json"
    path.chmod(0o600)
    path.write_text(text)
    store = open_store(tmp_path)
    with pytest.raises(Failure) as caught:
        store.verified(HASH)
    assert caught.value.failure_class is FailureClass.SIGNATURE_FAILURE
    (entry,) = store.list()
    assert isinstance(entry, DamagedConnector)


def test_an_install_record_of_unknown_trust_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).publish(release(), record())
    path = folder(tmp_path) / "installed.json"
    document = json.loads(path.read_text())
    path.chmod(0o600)
    path.write_text(json.dumps({**document, "signature": "blessed"}))
    with pytest.raises(Failure, match="who signed"):
        open_store(tmp_path).verified(HASH)


def test_the_list_is_by_name_and_version_with_the_damaged_last(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for version in ("1.10.0", "1.9.0"):
        store.publish(release(version=version), record())
    store.publish(release(name="github://acme/mail"), record())
    broken, _ = store.publish(release(name="github://acme/aaa"), record())
    (folder(tmp_path, broken.hash) / "connector.wasm").unlink()
    found = store.list()
    named = [f"{e.manifest.name} {e.manifest.version}" for e in found if isinstance(e, StoredConnector)]
    assert named == ["github://acme/mail 1.2.0", "github://acme/slack 1.9.0", "github://acme/slack 1.10.0"]
    assert isinstance(found[-1], DamagedConnector)
    assert found[-1].hash == broken.hash


def test_a_removed_connector_is_gone_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    assert store.remove(HASH) is True
    assert store.fresh(HASH) is None
    assert store.verified(HASH) is None
    assert store.remove(HASH) is False
    assert staging(tmp_path) == []


def test_two_contents_of_one_version_stand_side_by_side(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first, _ = store.publish(release(), record())
    second, _ = store.publish(release(wasm=b"\0asm\x01\0\0\0\0"), record())
    assert first.hash != second.hash
    assert len(store.list()) == 2


def test_what_is_parsed_is_what_was_hashed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    content = Release(wasm=release().wasm, manifest=b"not toml at all", signature=None)
    with pytest.raises(Failure) as caught:
        store.publish(content, record())
    assert caught.value.failure_class is FailureClass.INVALID_ARGUMENTS


def test_a_signer_who_is_found_out_later_is_written_down(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.publish(release(), record())
    store.note_signer(HASH, "0123456789abcdef")
    stored = open_store(tmp_path).verified(HASH)
    assert stored is not None
    assert stored.record == replace(record(), key_id="0123456789abcdef")
