"""Standard input and output as the two streams of a server: every request that comes in gets an answer."""

import contextlib
import os
from collections.abc import AsyncIterator

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from aileron_mcp.lines import LONGEST_LINE, encode, in_use, read_line, too_long
from aileron_mcp.reading import LineReader
from aileron_mcp.writing import LineWriter

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]

_CANCELLED = "notifications/cancelled"


@contextlib.asynccontextmanager
async def agent_pipe() -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """Take standard input and output for the protocol alone, until this process ends.

    What prints by mistake prints to standard error, and what reads by mistake reads nothing.
    """
    reading, writing = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    writer = LineWriter(writing)
    pipe = _Pipe(LineReader(reading, longest=LONGEST_LINE), writer)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipe.read, to_server)
        tasks.start_soon(pipe.write, from_server)
        try:
            yield incoming, outgoing
        finally:
            writer.close()


class _Pipe:
    """Reads and writes messages, and knows which requests are still to be answered."""

    def __init__(self, reading: LineReader, writing: LineWriter) -> None:
        self._reading = reading
        self._writing = writing
        self._unanswered: set[str] = set()
        """Ids as text: the library, too, takes 7 and "7" for one when a request is called off."""

    async def read(self, to_server: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Hand messages on until the pipe is closed, and answer what is none."""
        async with to_server:
            while (line := await self._reading.next()) is not None:
                found = too_long(line) if len(line) > LONGEST_LINE else read_line(line)
                if isinstance(found, tuple):
                    for refusal in found:
                        await self._writing.write(refusal.encoded())
                elif isinstance(found, types.JSONRPCRequest) and str(found.id) in self._unanswered:
                    await self._writing.write(in_use(found.id).encoded())
                else:
                    self._note(found)
                    try:
                        await to_server.send(SessionMessage(found))
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        return  # the server has ended

    async def write(self, from_server: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Write what the server says."""
        async with from_server:
            async for item in from_server:
                if isinstance(item.message, types.JSONRPCResponse | types.JSONRPCError):
                    self._unanswered.discard(str(item.message.id))
                await self._writing.write(encode(item.message))

    def _note(self, message: types.JSONRPCMessage) -> None:
        if isinstance(message, types.JSONRPCRequest):
            self._unanswered.add(str(message.id))
        elif isinstance(message, types.JSONRPCNotification) and message.method == _CANCELLED:
            # What is called off is not answered any more.
            self._unanswered.discard(str((message.params or {}).get("requestId")))
