"""Starts servers as processes and connects to them, with the parts that the daemon gives in between."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from waiting import wait_until

from daemon.net.http1.pool import Pool
from daemon.tools.servers.upstream.connecting import Connection, connect
from daemon.tools.servers.upstream.http import HttpTransport
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.pipes import Pipes
from daemon.tools.servers.upstream.seam import Answers, Asking, Message
from daemon.tools.servers.upstream.stdio import StdioTransport
from daemon.tools.servers.upstream.transport import Authorisation

HOSTILE = str(Path(__file__).with_name("hostile_server.py"))
SOON = Asking(seconds=20)


class Heard:
    """Keeps what a server says unasked."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, Message]] = []
        self.count = 0

    def notice(self, method: str, params: Message) -> None:
        self.count += 1
        if len(self.notices) < 1000:
            self.notices.append((method, params))

    def of(self, method: str) -> list[Message]:
        return [params for name, params in self.notices if name == method]


class Answering:
    """Answers what a server asks back, and keeps what it was."""

    def __init__(self, answer: Mapping[str, Any] | None = None) -> None:
        self.asked: list[tuple[str, Message]] = []
        self._answer = answer or {"action": "accept", "content": {"colour": "blue"}}

    capabilities: ClassVar[Message] = {"elicitation": {"form": {}, "url": {}}, "roots": {}}

    async def answer(self, method: str, params: Message, name: str = "") -> Message:  # noqa: ARG002 - so it is asked
        self.asked.append((method, params))
        return self._answer

    def together(self, others: Sequence[Answers]) -> None:
        """Answer for one request only."""


def hostile(*behaviours: str, era: str = "both", ledger: Path | None = None) -> list[str]:
    """Return the command of the hostile server."""
    kept = ["--ledger", str(ledger)] if ledger else []
    return [sys.executable, "-Es", HOSTILE, "--era", era, *kept, *behaviours]


def ran(ledger: Path) -> list[dict[str, Any]]:
    """Return what the hostile server wrote of its calls."""
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


class Started:
    """A process, and the connection to it."""

    def __init__(self, process: asyncio.subprocess.Process, heard: Heard) -> None:
        self.process = process
        self.heard = heard
        self.connection: Connection

    async def echo(self, text: str = "hi", asking: Asking = SOON) -> str:
        found = await self.connection.call_tool("echo", {"text": text}, asking)
        return str(found["content"][0]["text"])


@dataclass
class Piped:
    """A process, and the pipes to it."""

    process: asyncio.subprocess.Process
    pipes: Pipes


@contextlib.asynccontextmanager
async def piped(command: list[str], *, stderr: int = asyncio.subprocess.DEVNULL) -> AsyncIterator[Piped]:
    """Start a process in a group of its own; the whole group is gone afterwards."""
    theirs, into = os.pipe()
    output, written = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *command, stdin=theirs, stdout=written, stderr=stderr, start_new_session=True
    )
    os.close(theirs)
    os.close(written)
    pipes = Pipes()
    try:
        await pipes.read_from(output)
        await pipes.write_to(into)
        yield Piped(process, pipes)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        pipes.close()
        await process.wait()


def lines_of(pipes: Pipes) -> asyncio.StreamReader:
    """Return what a process writes, to be read line by line."""
    reader = asyncio.StreamReader()
    pipes.output.listen(reader.feed_data, lambda _: reader.feed_eof())
    return reader


@contextlib.asynccontextmanager
async def connected(command: list[str], *, limits: Limits | None = None, **options: Any) -> AsyncIterator[Started]:
    """Start a server and connect to it over its pipes."""
    async with piped(command) as there:
        started = Started(there.process, Heard())
        started.connection = await connect(  # type: ignore[assignment]
            StdioTransport(there.pipes), name="hostile", notices=started.heard, limits=limits or Limits(), **options
        )
        try:
            yield started
        finally:
            await started.connection.close()


class HostileHttp:
    """The process with hostile servers over HTTP. A server that ends its process needs a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "port"
        self._numbers = itertools.count(1)
        command = [sys.executable, "-Es", str(Path(HOSTILE).with_name("hostile_http.py")), str(self._file)]
        self._process = subprocess.Popen(command, start_new_session=True)
        wait_until(self._file.exists)

    def serve(self, *behaviours: str, era: str = "both") -> "Served":
        """Return a server that nobody else uses."""
        number = str(next(self._numbers))
        told = ",".join(quote(each, safe="=") for each in behaviours)
        url = f"http://127.0.0.1:{self._file.read_text()}/be/{number}/{era}/{told}/mcp"
        return Served(url, self._file.with_name(f"port.{number}.seen"), self._file.with_name(f"port.{number}.ledger"))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Served:
    """A server over HTTP, what was asked of it, and what it ran."""

    def __init__(self, url: str, seen: Path, ledger: Path) -> None:
        self.url = url
        self._seen = seen
        self._ledger = ledger

    def ran(self) -> list[dict[str, Any]]:
        """Return what it wrote of its calls."""
        return ran(self._ledger)

    def peers(self) -> set[int]:
        """Return the connections over which requests came."""
        return {line["peer"] for line in self.seen()}

    def seen(self, method: str | None = None, *, verb: str = "POST") -> list[dict[str, Any]]:
        """Return the requests that came, with their headers in lower case."""
        lines = [json.loads(line) for line in self._seen.read_text().splitlines()] if self._seen.exists() else []
        for line in lines:
            line["headers"] = {name.lower(): value for name, value in line["headers"].items()}
        return [
            line
            for line in lines
            if line["verb"] == verb and (method is None or (line["message"] or {}).get("method") == method)
        ]


class Reached:
    """A connection over HTTP."""

    def __init__(self, connection: Connection, heard: Heard) -> None:
        self.connection = connection
        self.heard = heard

    async def echo(self, text: str = "hi", asking: Asking = SOON) -> str:
        found = await self.connection.call_tool("echo", {"text": text}, asking)
        return str(found["content"][0]["text"])


@contextlib.asynccontextmanager
async def reached(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    authorisation: Authorisation | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> AsyncIterator[Reached]:
    """Connect to a server over HTTP."""
    pool = Pool(extra_ca_file=None, connect_seconds=5, allow_private=frozenset())
    heard = Heard()
    try:
        transport = HttpTransport(url, headers or {}, pool, authorisation)
        connection = await connect(transport, name="hostile", notices=heard, limits=limits or Limits(), **options)
        try:
            yield Reached(connection, heard)  # type: ignore[arg-type]
        finally:
            await connection.close()
    finally:
        await pool.close()
