"""Reading releases out of archives and folders that somebody else made."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.connectors import archive as rules
from daemon.connectors.archive import Release, read_archive, read_folder
from daemon.connectors.errors import InstallError

WASM = b"\0asm\x01\0\0\0"
MANIFEST = b'[connector]\nname = "github://acme/slack"\n'
GOOD = [("connector.wasm", WASM), ("manifest.toml", MANIFEST), ("signature.sig", b"s" * 64)]


def file(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member, b""


def pack(members: Iterable[tuple[tarfile.TarInfo, bytes]], *, zipped: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1) if zipped else buffer.getvalue()


def read(tmp_path: Path, data: bytes) -> Release:
    path = tmp_path / "release"
    path.write_bytes(data)
    return read_archive(path, name="release.tar")


def good(extra: Iterable[tuple[tarfile.TarInfo, bytes]] = (), prefix: str = "") -> list[tuple[tarfile.TarInfo, bytes]]:
    return [*(file(prefix + name, data) for name, data in GOOD), *extra]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("prefix", ["", "./", "slack-1.2.0/", "./slack-1.2.0/"])
def test_a_release_is_read_from_the_top_or_from_one_folder(tmp_path: Path, prefix: str, zipped: bool) -> None:
    release = read(tmp_path, pack(good(prefix=prefix), zipped=zipped))
    assert (release.wasm, release.manifest, release.signature) == (WASM, MANIFEST, b"s" * 64)


def test_a_readme_and_folders_are_skipped(tmp_path: Path) -> None:
    extra = [special("docs", tarfile.DIRTYPE), file("README.md", b"hello"), file("docs/connector.wasm", b"not me")]
    assert read(tmp_path, pack(good(extra))).wasm == WASM


def test_a_release_without_a_signature_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, pack(good()[:2])).signature is None


@pytest.mark.parametrize("missing", ["connector.wasm", "manifest.toml"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    members = [(member, data) for member, data in good() if member.name != missing]
    with pytest.raises(InstallError, match=f"has no {missing}"):
        read(tmp_path, pack(members))


def test_files_scattered_over_two_folders_are_not_a_release(tmp_path: Path) -> None:
    members = [file("a/connector.wasm", WASM), file("b/manifest.toml", MANIFEST)]
    with pytest.raises(InstallError, match="has no connector"):
        read(tmp_path, pack(members))


@pytest.mark.parametrize(
    ("member", "word"),
    [
        (special("link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
        (special("link", tarfile.LNKTYPE, "connector.wasm"), "link"),
        (special("null", tarfile.CHRTYPE), "device"),
        (special("disk", tarfile.BLKTYPE), "device"),
        (special("pipe", tarfile.FIFOTYPE), "pipe"),
        (special("old", tarfile.GNUTYPE_SPARSE), "sparse"),
        (special("odd", b"Z"), "unknown kind"),
        (file("/etc/cron.d/x", b""), "relative path"),
        (file("../x", b""), "points outside"),
        (file("a/../../x", b""), "points outside"),
        (file("a\\b", b""), "forward slashes"),
        (file("connector.wasm", WASM), "twice"),
        (file("./connector.wasm", WASM), "twice"),
        (file("Connector.WASM", WASM), "twice"),
    ],
)
def test_an_archive_with_a_dangerous_member_is_refused_whole(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], word: str
) -> None:
    with pytest.raises(InstallError, match=word):
        read(tmp_path, pack(good([member])))


def test_a_link_in_the_place_of_a_wanted_file_is_refused(tmp_path: Path) -> None:
    members = [special("connector.wasm", tarfile.SYMTYPE, "/etc/passwd"), *good()[1:]]
    with pytest.raises(InstallError, match="regular files only"):
        read(tmp_path, pack(members))


def test_a_sparse_file_in_the_pax_form_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("connector.wasm")
        member.pax_headers = {"GNU.sparse.map": "0,8", "GNU.sparse.size": "60000000", "GNU.sparse.numblocks": "1"}
        member.size = 8
        archive.addfile(member, io.BytesIO(WASM))
    with pytest.raises(InstallError, match="sparse"):
        read(tmp_path, buffer.getvalue())


@pytest.mark.parametrize(("name", "limit"), [("manifest.toml", 256 * 1024), ("signature.sig", 4096)])
def test_a_file_above_its_size_is_refused_and_one_at_it_is_not(tmp_path: Path, name: str, limit: int) -> None:
    others = [pair for pair in good() if pair[0].name != name]
    assert read(tmp_path, pack([*others, file(name, b"#" * limit)]))
    with pytest.raises(InstallError, match="at most"):
        read(tmp_path, pack([*others, file(name, b"#" * (limit + 1))]))


def test_a_program_above_its_size_is_refused(tmp_path: Path) -> None:
    huge, _ = file("connector.wasm", b"")
    huge.size = 64 * 1024 * 1024 + 1
    with pytest.raises(InstallError, match="at most"):
        read(tmp_path, huge.tobuf() + bytes(4096))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="more than 64 members"):
        read(tmp_path, pack(good([file(f"f{number}", b"") for number in range(64)])))


def test_a_decompression_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_UNPACKED", 1_000_000)
    zeros = [file(f"f{number}", bytes(200_000)) for number in range(10)]
    with pytest.raises(InstallError, match="unpacks to more than"):
        read(tmp_path, pack(zeros, zipped=True))


def test_a_bomb_in_an_extended_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_UNPACKED", 1_000_000)
    header, _ = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 8 * 1024**3 - 1
    data = gzip.compress(header.tobuf(format=tarfile.GNU_FORMAT) + bytes(4_000_000), 9)
    with pytest.raises(InstallError, match="unpacks to more than"):
        read(tmp_path, data)


def test_a_thousand_nested_headers_are_refused(tmp_path: Path) -> None:
    header, _ = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 2
    nested = (header.tobuf(format=tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 3000
    with pytest.raises(InstallError):
        read(tmp_path, nested)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x1f\x8b", b"\x1f\x8bjunk that is not gzip", bytes(1024)])
def test_what_is_no_archive_is_refused_with_the_remedy(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InstallError):
        read(tmp_path, data)


def test_an_archive_that_ends_early_is_refused(tmp_path: Path) -> None:
    whole = pack(good())
    for end in (511, 513, 700, 1100, 1700):
        with pytest.raises(InstallError):
            read(tmp_path, whole[:end])


def test_a_program_that_is_not_webassembly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="not WebAssembly"):
        read(tmp_path, pack([file("connector.wasm", b"#!/bin/sh"), *good()[1:]]))


def test_a_manifest_with_a_zero_byte_is_refused_so_that_the_border_between_the_files_cannot_move(
    tmp_path: Path,
) -> None:
    with pytest.raises(InstallError, match="not text"):
        read(tmp_path, pack([file("connector.wasm", WASM), file("manifest.toml", b"\0\x02\x01x" + MANIFEST)]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.data())
def test_no_damaged_archive_brings_anything_but_our_own_error(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(pack(good([file("n" * 150, b"long name"), file("README.md", b"hello")])))
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, 6000))] = data.draw(st.integers(0, 255))
    damaged = gzip.compress(bytes(whole), 1) if data.draw(st.booleans()) else bytes(whole)
    try:
        read(tmp_path, damaged[: data.draw(st.integers(1, len(damaged)))])
    except InstallError as error:
        assert error.message  # noqa: PT017 -- either outcome is right, another exception is not


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["size", "path", "linkpath", "GNU.sparse.map", "GNU.sparse.major", "uid"]),
        st.one_of(st.integers(-(2**70), 2**70).map(str), st.text(max_size=20)),
    )
)
def test_no_extended_header_brings_anything_but_our_own_error(tmp_path: Path, headers: dict[str, str]) -> None:
    records = b""
    for key, value in headers.items():
        body = f" {key}={value}\n".encode("utf-8", "replace")
        length = len(body) + 1
        while length != len(body) + len(str(length)):
            length = len(body) + len(str(length))
        records += str(length).encode() + body
    pax, _ = special("pax", tarfile.XHDTYPE)
    pax.size = len(records)
    padded = records.ljust(-(-len(records) // 512) * 512, b"\0")
    try:
        read(tmp_path, pax.tobuf(format=tarfile.USTAR_FORMAT) + padded + pack(good()))
    except InstallError as error:
        assert error.message  # noqa: PT017


def lay_out(folder: Path) -> Path:
    folder.mkdir()
    for name, data in GOOD:
        (folder / name).write_bytes(data)
    return folder


def test_a_release_is_read_from_a_folder_whatever_else_is_in_it(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "slack")
    (folder / "target").mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    assert read_folder(folder, name="slack").wasm == WASM


@pytest.mark.parametrize("name", [name for name, _ in GOOD])
def test_a_link_in_a_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    folder = lay_out(tmp_path / "slack")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InstallError, match="not a link"):
        read_folder(folder, name="slack")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_in_a_folder_is_refused_without_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = lay_out(tmp_path / "slack")
    (folder / "manifest.toml").unlink()
    make(folder / "manifest.toml")
    with pytest.raises(InstallError, match="regular file"):
        read_folder(folder, name="slack")


def test_a_file_of_a_folder_above_its_size_is_refused(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "slack")
    (folder / "signature.sig").write_bytes(b"s" * 4097)
    with pytest.raises(InstallError, match="larger than 4096"):
        read_folder(folder, name="slack")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="cannot be opened"):
        read_folder(tmp_path / "nowhere", name="nowhere")
