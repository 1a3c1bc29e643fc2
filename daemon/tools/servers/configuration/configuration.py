"""The servers as `servers.yaml` says them: held in memory, read again when the file changes, edited safely."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from daemon.base.files import open_regular, replace_file
from daemon.core.documents import MAX_DOCUMENT_BYTES, decode_document
from daemon.core.failures import Boundary, DocumentError, Failure, FailureClass
from daemon.tools.servers.configuration.reading import read_servers
from daemon.tools.servers.news import News
from daemon.tools.servers.values import ServerConfig

_LOOK_SECONDS = 1.0
"""How often the file is looked at.

The folder of it is the home, in which the database changes all the time. So the kernel's notes about it would cost
more than one look at one file each second.
"""
_log = structlog.get_logger("daemon.servers")
Stamp = tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Read:
    """The file as it was read."""

    stamp: Stamp
    text: str
    servers: Mapping[str, ServerConfig]
    problem: DocumentError | None


class Configuration:
    """What is in force. All of it belongs to the event loop's thread; files are read and written on one of its own.

    A file that breaks a rule is refused whole: the servers stay as they were, and `problem` says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="servers.yaml")
        self._turn = asyncio.Lock()
        self._stamp: Stamp = None
        self._servers: Mapping[str, ServerConfig] = {}
        self._problem: DocumentError | None = None
        self._was_right = False
        self._news = News()

    @property
    def path(self) -> Path:
        """Return where the file is."""
        return self._path

    @property
    def problem(self) -> DocumentError | None:
        """Return what is wrong with the file as it stands now; None if it is in force."""
        return self._problem

    @property
    def meanwhile(self) -> str:
        """Return what holds while the file breaks a rule: the servers of before, or none if it never was right."""
        if self._was_right:
            return "The servers are as they were before."
        return "Until it is right, no server is there: the daemon has not read it otherwise since its start."

    def all(self) -> Mapping[str, ServerConfig]:
        """Return the servers by name, also those that are disabled, in the order of the file."""
        return self._servers

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time a server was added, changed or removed, or the file became wrong or right."""
        return self._news.changes()

    async def look(self) -> None:
        """Read the file again if it is another one than before."""
        async with self._turn:
            self._take(await self._on_thread(lambda: self._read_if_other(self._stamp)))

    async def watch(self) -> None:
        """Look at the file for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def edit(self, change: Callable[[str, str], str]) -> None:
        """Change the file: `change` is given its text and its name, and returns the text that it becomes.

        Raises Failure, and changes nothing, if the file breaks a rule now or would then, or cannot be written.
        """
        async with self._turn:
            self._take(await self._on_thread(lambda: self._edited(change)))

    async def check(self, change: Callable[[str, str], str]) -> None:
        """Raise the Failure that `edit` would raise because of what the file says; change nothing."""
        async with self._turn:
            await self._on_thread(lambda: self._changed(change)[0])

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True)

    async def _on_thread(self, work: Callable[[], _Read | None]) -> _Read | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _take(self, read: _Read | None) -> None:
        if read is None:
            return
        self._stamp = read.stamp
        before, problem = self._servers, self._problem
        self._problem = read.problem
        if read.problem is None:
            self._was_right = True
            # A server that is as it was stays the same object, so that what was worked out for it is used on.
            self._servers = {
                name: before[name] if before.get(name) == server else server for name, server in read.servers.items()
            }
        else:
            _log.warning("servers.yaml is not used", problem=str(read.problem), meanwhile=self.meanwhile)
        if self._servers != before or str(problem) != str(self._problem):
            self._news.tell()

    # On the thread

    def _read_if_other(self, known: Stamp) -> _Read | None:
        stamp = _stamp(self._path)
        return None if stamp == known and (stamp is not None or not self._servers) else self._read()

    def _read(self) -> _Read:
        try:
            stamp, text = _text_of(self._path)
        except DocumentError as problem:
            return _Read(_stamp(self._path), "", {}, problem)
        try:
            return _Read(stamp, text, read_servers(text, str(self._path)), None)
        except DocumentError as problem:
            return _Read(stamp, text, {}, problem)

    def _changed(self, change: Callable[[str, str], str]) -> tuple[_Read, str]:
        """Return the file as it is, and its text as it would be; raises the Failure of an edit that is not made."""
        read = self._read()
        if read.problem is not None:
            raise _refused(f"{read.problem} Mend it first; nothing was changed.", self._path)
        try:
            text = change(read.text, str(self._path))
            read_servers(text, str(self._path))
        except DocumentError as problem:
            raise _refused(f"{problem.problem} {problem.remedy}".strip(), self._path) from problem
        return read, text

    def _edited(self, change: Callable[[str, str], str]) -> _Read:
        read, text = self._changed(change)
        if text == read.text:
            return read

        def still_as_read() -> None:
            if _stamp(self._path) != read.stamp:
                raise _refused(f"{self._path} was changed by somebody else just now; try again.", self._path)

        try:
            # Somebody who keeps this file elsewhere, and a link here, keeps the link.
            target = Path(os.path.realpath(self._path))
            replace_file(target, text.encode(), before_replace=still_as_read)
        except OSError as problem:
            raise Failure(
                FailureClass.INTERNAL_ERROR,
                f"{self._path} cannot be written: {problem.strerror}. Nothing was changed.",
                boundary=Boundary.RUNTIME,
            ) from problem
        return self._read()


def _text_of(path: Path) -> tuple[Stamp, str]:
    """Return the file's text, and what tells this state of the file from another; empty if there is none."""
    try:
        handle = open_regular(path, follow=True)
    except FileNotFoundError:
        return None, ""
    except OSError as problem:
        raise _unreadable(path, problem) from None
    with os.fdopen(handle, "rb") as file:
        stamp = _of(os.fstat(handle))
        try:
            raw = file.read(MAX_DOCUMENT_BYTES + 1)
        except OSError as problem:
            raise _unreadable(path, problem) from None
    return stamp, decode_document(raw, str(path)) if b"\r" not in raw else _with_line_ends(raw, str(path))


def _with_line_ends(raw: bytes, file: str) -> str:
    decode_document(raw, file)
    return raw.decode()


def _unreadable(path: Path, problem: OSError) -> DocumentError:
    said = problem.strerror or "it is no file"
    return DocumentError(file=str(path), line=None, problem=f"It cannot be read: {said}.", remedy="")


def _stamp(path: Path) -> Stamp:
    try:
        return _of(path.stat())
    except OSError:
        return None


def _of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _refused(message: str, path: Path) -> Failure:
    return Failure(FailureClass.INVALID_ARGUMENTS, message, boundary=Boundary.USER, details={"file": str(path)})
