"""Starts servers as processes and connects to them, with the parts that the daemon gives in between."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from daemon.tools.servers.upstream.connecting import Connection, connect
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.seam import Asking, Message
from daemon.tools.servers.upstream.stdio import StdioTransport

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

    async def answer(self, method: str, params: Message) -> Message:
        self.asked.append((method, params))
        return self._answer


def hostile(*behaviours: str, era: str = "both", ledger: Path | None = None) -> list[str]:
    """Return the command of the hostile server."""
    kept = ["--ledger", str(ledger)] if ledger else []
    return [sys.executable, "-I", HOSTILE, "--era", era, *kept, *behaviours]


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


@contextlib.asynccontextmanager
async def piped(command: list[str], *, stderr: int = asyncio.subprocess.DEVNULL) -> AsyncIterator[Any]:
    """Start a process in a group of its own; the whole group is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            while await process.stdout.read(1 << 20):
                pass
        await process.wait()


@contextlib.asynccontextmanager
async def connected(command: list[str], *, limits: Limits | None = None, **options: Any) -> AsyncIterator[Started]:
    """Start a server and connect to it over its pipes."""
    async with piped(command) as process:
        started = Started(process, Heard())
        transport = StdioTransport(process.stdout, process.stdin)
        started.connection = await connect(  # type: ignore[assignment]
            transport, name="hostile", notices=started.heard, limits=limits or Limits(), **options
        )
        try:
            yield started
        finally:
            await started.connection.close()
