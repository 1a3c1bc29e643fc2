"""What servers write to their error output, in `logs/servers/NAME.log`: bounded, without secrets, safe to be shown."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from daemon.base.clock import Clock, rfc3339
from daemon.base.files import PRIVATE, write_all
from daemon.core.visible import visible

FILE_BYTES = 1 << 20
"""The newer part of a log is at most this long, and so is the older one beside it."""
_READ = 1 << 16
_LINE = 1 << 14
_SHOWN = _LINE - (1 << 12)
"""How much of a line is kept. It is less than what is scrubbed, so that no half of a secret stands at the cut."""
_EACH_SECOND = 1 << 18
_LINE_COST = 64
"""What each line costs beside its bytes: the time before it, and the work."""
_REST = 0.02
_LAST = 300


class ServerLogs:
    """The logs of all servers. Files are written on a thread of their own, one piece after the other."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="server-logs")

    def path(self, server: str) -> Path:
        """Return the newer part of a server's log; the older one has `.1` behind its name."""
        return self._folder / f"{server}.log"

    def of(self, server: str, clean: Callable[[str], str]) -> "ServerLog":
        """Return the log for one process of a server; `clean` takes its secrets out."""
        return ServerLog(self.path(server), clean, self._clock, self._thread)

    async def last_lines(self, server: str, most: int) -> list[str]:
        """Return the last lines of a server's log, as they are kept: without secrets, safe to be shown."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(_tail, self.path(server), most))

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class ServerLog:
    """The part of a log that one process writes."""

    def __init__(self, path: Path, clean: Callable[[str], str], clock: Clock, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._clean = clean
        self._clock = clock
        self._thread = thread
        self._ended = asyncio.Event()
        self._last: deque[str] = deque(maxlen=1)

    async def follow(self, pipe: int) -> None:
        """Write down what comes through a pipe, until its end. The pipe is closed then.

        Over a bound for each second what comes is read and left out: the server goes on, and the disk does not fill.
        A disk that is full, or a folder that is gone, costs the lines and nothing else.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_READ)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
        )
        lines, allowance = _Lines(), _Allowance()
        try:
            while data := await reader.read(_READ):
                if allowance.over(loop.time(), len(data) + _LINE_COST * data.count(b"\n")):
                    lines.begin_anew()
                    await asyncio.sleep(_REST)
                    continue
                await self._write([*allowance.said(), *map(self._shown, lines.feed(data))])
            await self._write([*allowance.said(), *map(self._shown, lines.rest())])
        except (OSError, RuntimeError):
            pass  # the pipe broke, which is its end, or the daemon stops and writes no more
        finally:
            self._ended.set()
            transport.close()

    async def last_line(self, seconds: float = 1.0) -> str:
        """Return the last line, if there is one, after waiting a moment for the end of what the process wrote."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            pass
        return self._last[-1][:_LAST] if self._last else ""

    def _shown(self, line: bytes) -> str:
        text = self._clean(line.decode(errors="replace"))
        shown = visible(text[:_SHOWN] + (" ... (cut)" if len(text) > _SHOWN else ""))
        if shown.strip():
            self._last.append(shown)
        return shown

    async def _write(self, lines: list[str]) -> None:
        if lines:
            now = rfc3339(self._clock.now_ms())
            data = "".join(f"{now} {line}\n" for line in lines).encode(errors="replace")
            await asyncio.get_running_loop().run_in_executor(self._thread, partial(_append, self._path, data))


class _Lines:
    """Cuts bytes into lines; the end of a line that is too long is dropped."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._skips = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now."""
        *complete, begun = data.split(b"\n")
        found = []
        for piece in complete:
            self._add(piece)
            if not self._skips:
                found.append(bytes(self._begun))
            self.begin_anew(skips=False)
        self._add(begun)
        return found

    def rest(self) -> list[bytes]:
        """Return a last line without an end."""
        return [bytes(self._begun)] if self._begun and not self._skips else []

    def begin_anew(self, *, skips: bool = True) -> None:
        """Forget the line that has begun; `skips` drops what is still to come of it, too."""
        self._begun.clear()
        self._skips = skips

    def _add(self, piece: bytes) -> None:
        self._begun += piece[: max(0, _LINE - len(self._begun))]


class _Allowance:
    """Counts what comes in each second, and what is left out."""

    def __init__(self) -> None:
        self._began = 0.0
        self._taken = 0
        self._left_out = 0

    def over(self, now: float, size: int) -> bool:
        """Count what came, by what it costs, and say whether it is too much."""
        if now - self._began >= 1:
            self._began, self._taken = now, 0
        self._taken += size
        if self._taken <= _EACH_SECOND:
            return False
        self._left_out += 1
        return True

    def said(self) -> list[str]:
        """Return the line that says what was left out, if anything was."""
        left_out, self._left_out = self._left_out, 0
        return [f"({left_out} pieces were left out: it wrote too much at once)"] if left_out else []


def _tail(path: Path, most: int) -> list[str]:
    lines: list[str] = []
    for part in (path.with_name(f"{path.name}.1"), path):
        try:
            lines += part.read_text(errors="replace").splitlines()
        except OSError:
            continue  # there is no such part
    return lines[len(lines) - most :] if most < len(lines) else lines


def _append(path: Path, data: bytes) -> None:
    """Add to a log, and begin a new part when it is full; what cannot be written is lost."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size + len(data) > FILE_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError:
        return  # the next piece tries again
