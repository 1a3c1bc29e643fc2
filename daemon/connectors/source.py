"""Where a release comes from: reading what the person wrote, and fetching it into a private folder of the store."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote_to_bytes

from daemon.base.files import open_regular
from daemon.connectors.archive import MAX_PACKED, Release, read_archive, read_folder
from daemon.connectors.errors import InstallError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_FORMS = "a folder or a .tar, .tar.gz or .tgz file: /path/to/it, ~/path/to/it or file:///path/to/it"
_MAX_SOURCE = 4096


class SourceScheme(StrEnum):
    """The kinds of place a release can be fetched from."""

    FILE = "file"
    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True)
class Source:
    """A place as the person wrote it, and what it means."""

    text: str
    scheme: SourceScheme
    location: str


class Fetcher(Protocol):
    """Brings a release from one kind of place into a folder, where it is read from afterwards."""

    def fetch(self, source: Source, into: Path) -> Release:
        """Return the release as it was copied; the source is not looked at again."""
        ...


def parse_source(text: str, *, user_home: Path) -> Source:
    """Read a source: a file URL, a path, or the name of a remote release."""
    if not text or len(text) > _MAX_SOURCE or not text.isprintable():
        raise InstallError(f"The source is empty, too long or not printable; name {_FORMS}.")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Source(text=text, scheme=SourceScheme.FILE, location=str(_plain_path(text, user_home=user_home)))
    if scheme == SourceScheme.FILE:
        return Source(text=text, scheme=SourceScheme.FILE, location=_url_path(text, rest))
    if scheme in {SourceScheme.GITHUB, SourceScheme.GITLAB}:
        return Source(text=text, scheme=SourceScheme(scheme), location=rest)
    raise InstallError(f"The scheme of {text!r} is unknown; name {_FORMS}.")


class FileFetcher:
    """Fetches from a folder or an archive on this machine."""

    def fetch(self, source: Source, into: Path) -> Release:
        """Copy an archive and read the copy, or read each file of a folder once."""
        path = Path(source.location)
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise InstallError(f"{source.text!r} cannot be read ({reason}); name {_FORMS}.") from error
        if stat.S_ISDIR(status.st_mode):
            return read_folder(path, name=source.text)
        if not path.name.endswith(ARCHIVE_SUFFIXES):
            raise InstallError(f"{source.text!r} is neither a folder nor a .tar, .tar.gz or .tgz file; name {_FORMS}.")
        copy = into / "release"
        _copy(path, copy, name=source.text)
        return read_archive(copy, name=source.text)


class RemoteFetcher:
    """Stands where fetching over the network will be, and says what works today."""

    def fetch(self, source: Source, into: Path) -> Release:  # noqa: ARG002 -- the shape every fetcher has
        """Refuse, naming the way that works."""
        raise InstallError(
            f"{source.text!r}: remote sources aren't supported by this version; download the release and install it"
            " from file:///path/to/release.tar.gz."
        )


FETCHERS: Mapping[SourceScheme, Fetcher] = {
    SourceScheme.FILE: FileFetcher(),
    SourceScheme.GITHUB: RemoteFetcher(),
    SourceScheme.GITLAB: RemoteFetcher(),
}


def _plain_path(text: str, *, user_home: Path) -> Path:
    if text == "~" or text.startswith("~/"):
        return user_home / text[2:]
    path = Path(text)
    if not path.is_absolute():
        # The daemon's working folder is not the person's; a guess could install something else of the same name.
        raise InstallError(
            f"{text!r} is a relative path, and the daemon does not know your folder; give the full path."
        )
    return path


def _url_path(text: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost"} or not slash:
        raise InstallError(f"{text!r} is not a file URL of this machine; write three slashes: file:///path/to/it.")
    decoded = unquote_to_bytes(slash + path)
    if b"\0" in decoded:
        raise InstallError(f"{text!r} has a zero byte in it; name {_FORMS}.")
    return os.fsdecode(decoded)


def _copy(path: Path, copy: Path, *, name: str) -> None:
    try:
        handle = open_regular(path, follow=True)
        with os.fdopen(handle, "rb") as source:
            if os.fstat(handle).st_size > MAX_PACKED:
                raise InstallError(f"{name!r} is larger than {MAX_PACKED} bytes; a connector archive is at most that.")
            with copy.open("xb") as target:
                copy.chmod(0o600)
                _copy_limited(source, target, name=name)
    except OSError as error:
        raise InstallError(f"{name!r} cannot be copied ({error.strerror}).") from error


def _copy_limited(source: IO[bytes], target: IO[bytes], *, name: str) -> None:
    left = MAX_PACKED
    while chunk := source.read(256 * 1024):
        left -= len(chunk)
        if left < 0:
            raise InstallError(f"{name!r} grew beyond {MAX_PACKED} bytes while it was copied.")
        target.write(chunk)
