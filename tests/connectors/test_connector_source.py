"""Where releases may come from."""

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import WASM, manifest_text

from daemon.connectors.errors import InstallError
from daemon.connectors.source import FETCHERS, FileFetcher, SourceScheme, parse_source

HOME = Path("/home/ada")


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("/srv/slack", "/srv/slack"),
        ("~/slack.tgz", "/home/ada/slack.tgz"),
        ("~", "/home/ada"),
        ("file:///srv/slack", "/srv/slack"),
        ("file://localhost/srv/a%20b", "/srv/a b"),
        ("file:///srv/a#b?c", "/srv/a#b?c"),
    ],
)
def test_a_path_and_a_file_url_name_a_place_on_this_machine(text: str, location: str) -> None:
    source = parse_source(text, user_home=HOME)
    assert (source.scheme, source.location) == (SourceScheme.FILE, location)


@pytest.mark.parametrize(
    "text",
    [
        "slack",
        "./slack",
        "../slack",
        "file://server/slack",
        "file://",
        "file:///a%00b",
        "ftp://host/x",
        "https://host/x",
        "",
        "a\nb",
        "~ada/slack",
    ],
)
def test_what_names_no_such_place_is_refused(text: str) -> None:
    with pytest.raises(InstallError):
        parse_source(text, user_home=HOME)


@pytest.mark.parametrize("text", ["github://acme/slack@1.2.0", "gitlab://acme/slack"])
def test_a_remote_source_says_what_works_instead(text: str, tmp_path: Path) -> None:
    source = parse_source(text, user_home=HOME)
    with pytest.raises(InstallError, match="remote sources aren't supported by this version; download the release"):
        FETCHERS[source.scheme].fetch(source, tmp_path)


@given(st.text(max_size=80))
def test_a_source_is_read_or_refused(text: str) -> None:
    try:
        parse_source(text, user_home=HOME)
    except InstallError as error:
        assert error.message  # noqa: PT017


def lay_out(folder: Path) -> Path:
    folder.mkdir()
    (folder / "connector.wasm").write_bytes(WASM)
    (folder / "manifest.toml").write_text(manifest_text())
    return folder


def fetch(path: Path, into: Path) -> bytes:
    return FileFetcher().fetch(parse_source(str(path), user_home=HOME), into).wasm


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz")])
def test_folders_and_archives_are_fetched(tmp_path: Path, suffix: str, mode: str) -> None:
    folder = lay_out(tmp_path / "slack")
    packed = tmp_path / f"slack{suffix}"
    with tarfile.open(packed, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname="slack-1.2.0")
    (tmp_path / "into").mkdir()
    assert fetch(folder, tmp_path / "into") == WASM
    assert fetch(packed, tmp_path / "into") == WASM


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slack.zip").write_bytes(b"PK")
    with pytest.raises(InstallError, match="neither a folder nor"):
        fetch(tmp_path / "slack.zip", tmp_path)


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="No such file"):
        fetch(tmp_path / "nowhere.tgz", tmp_path)


def test_a_pipe_with_the_name_of_an_archive_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "into").mkdir()
    with pytest.raises(InstallError, match="not a regular file"):
        fetch(tmp_path / "pipe.tar", tmp_path / "into")


def test_an_archive_above_the_size_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big.tar").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    (tmp_path / "into").mkdir()
    with pytest.raises(InstallError, match="larger than"):
        fetch(tmp_path / "big.tar", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
