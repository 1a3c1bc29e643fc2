"""Standard input and output as the two streams of a server: every request that comes in gets an answer."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.shared.message import SessionMessage

from aileron_mcp.lines import LONGEST_LINE, encode, in_use, read_line, too_long
from aileron_mcp.ordinary import ordinary_call
from aileron_mcp.reading import LineReader
from aileron_mcp.results import error_line
from aileron_mcp.straight import StraightCall, StraightWay
from aileron_mcp.writing import LineWriter

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]

_CANCELLED = "notifications/cancelled"
_BEFORE_CALLS = frozenset({"initialize", "logging/setLevel"})
"""Requests that say how the calls after them are answered."""


@contextlib.asynccontextmanager
async def agent_pipe(straight: StraightWay) -> AsyncIterator[tuple[Incoming, Outgoing]]:
    """Take standard input and output for the protocol alone, until this process ends.

    What prints by mistake prints to standard error, and what reads by mistake reads nothing. Ordinary calls take the
    straight way, and are not seen in the streams.
    """
    reading, writing = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    writer = LineWriter(writing)
    pipe = Pipe(reading, writer, straight)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipe.read, to_server)
        tasks.start_soon(pipe.write, from_server)
        try:
            yield incoming, outgoing
        finally:
            pipe.close()
            await writer.close()


class Pipe:
    """Reads and writes messages, and knows which requests are still to be answered."""

    def __init__(self, descriptor: int, writing: LineWriter, straight: StraightWay) -> None:
        self._reading = LineReader(descriptor, longest=LONGEST_LINE, at_once=self._begin)
        self._writing = writing
        self._straight = straight
        self._unanswered: dict[str, StraightCall | None] = {}
        """By ids as text: the library, too, takes 7 and "7" for one when a request is called off. A request that the
        library handles has no call here."""
        self._before_calls: set[str] = set()
        """Those of them that calls wait for."""
        self._closing = False

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
                    self._is_answered(str(item.message.id))
                await self._writing.write(encode(item.message))

    def close(self) -> None:
        """End the calls that went straight, each with an answer that says so."""
        self._closing = True
        error = types.ErrorData(code=types.CONNECTION_CLOSED, message="Connection closed")
        for call in list(self._unanswered.values()):
            if call is not None:
                call.call_off()
                self._answer(call, error_line(call.number, error))

    def _begin(self, line: bytes) -> bool:
        """Begin an ordinary call, unless the agent is not known yet, or something before it is still under way."""
        manner = self._straight.manner()
        if manner is None or self._before_calls or self._closing:
            return False
        call = ordinary_call(line)
        if call is None or (key := str(call.id)) in self._unanswered:
            return False
        self._unanswered[key] = StraightCall(self._straight, manner, call, self._writing.write, self._answer)
        return True

    def _answer(self, call: StraightCall, line: bytes) -> None:
        key = str(call.number)
        if self._unanswered.get(key) is not call:
            return  # it was called off, and its id may be another one's by now
        del self._unanswered[key]
        try:
            waiting = self._writing.put(line)
        except OSError:
            self._reading.close()  # nobody reads answers any more, so nobody asks
        else:
            if waiting is not None:
                waiting.add_done_callback(self._is_written)

    def _is_written(self, waiting: "asyncio.Task[None]") -> None:
        if not waiting.cancelled() and isinstance(waiting.exception(), OSError):
            self._reading.close()  # the same

    def _note(self, message: types.JSONRPCMessage) -> None:
        if isinstance(message, types.JSONRPCRequest):
            key = str(message.id)
            self._unanswered[key] = None
            if message.method in _BEFORE_CALLS:
                self._before_calls.add(key)
                self._straight.forget()
        elif isinstance(message, types.JSONRPCNotification) and message.method == _CANCELLED:
            # What is called off is not answered any more.
            call = self._is_answered(str(cancelled_request_id_from_params(message.params)))
            if call is not None:
                call.call_off()

    def _is_answered(self, key: str) -> StraightCall | None:
        self._before_calls.discard(key)
        return self._unanswered.pop(key, None)
