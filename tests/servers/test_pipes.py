"""The pipes to a process, without one: on the loop that the daemon uses, and on the one that the tests use."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from waiting import eventually

from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.pipes import Pipes
from daemon.tools.servers.upstream.seam import Message, Trouble, UpstreamError
from daemon.tools.servers.upstream.stdio import StdioTransport
from daemon.tools.servers.upstream.transport import Outgoing

LOOPS = pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
NewLoop = Callable[[], asyncio.AbstractEventLoop]
PING = Outgoing({"jsonrpc": "2.0", "method": "ping"})
LARGE = 1 << 20


class Room:
    """Pipes, and the other ends of them."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.pipes = Pipes(at_end=self.ended.set)
        self.came: list[bytes] = []
        self.why: list[OSError | None] = []

    async def connect(self) -> None:
        output, self.writes = os.pipe()
        self.reads, into = os.pipe()
        os.set_blocking(self.writes, False)
        os.set_blocking(self.reads, False)
        await self.pipes.read_from(output)
        await self.pipes.write_to(into)

    def listen(self) -> None:
        self.pipes.output.listen(self.came.append, self.why.append)


def in_room(loop: NewLoop, scene: Callable[[Room], Coroutine[Any, Any, None]]) -> None:
    async def played() -> None:
        room = Room()
        await room.connect()
        try:
            await scene(room)
        finally:
            room.pipes.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(played())


@LOOPS
def test_what_came_before_somebody_listened_is_handed_over_and_then_the_end(loop: NewLoop) -> None:
    async def scene(room: Room) -> None:
        os.write(room.writes, b"early")
        os.close(room.writes)
        await room.ended.wait()
        room.listen()
        await eventually(lambda: bool(room.why))
        assert (b"".join(room.came), room.why) == (b"early", [None])

    in_room(loop, scene)


@LOOPS
def test_a_process_that_nobody_listens_to_is_not_read_without_end(loop: NewLoop) -> None:
    async def scene(room: Room) -> None:
        written, quiet = 0, 0
        while quiet < 20:
            try:
                written += os.write(room.writes, b"x" * 65536)
                quiet = 0
            except BlockingIOError:
                quiet += 1
            await asyncio.sleep(0.001)
        assert written < 2 * LARGE
        room.listen()
        await eventually(lambda: sum(map(len, room.came)) == written)

    in_room(loop, scene)


@LOOPS
def test_nothing_is_handed_over_while_reading_is_paused(loop: NewLoop) -> None:
    async def scene(room: Room) -> None:
        room.listen()
        room.pipes.output.pause()
        room.pipes.output.pause()
        os.write(room.writes, b"later")
        await asyncio.sleep(0.02)
        assert room.came == []
        room.pipes.output.resume()
        room.pipes.output.resume()
        await eventually(lambda: room.came == [b"later"])

    in_room(loop, scene)


@LOOPS
def test_who_waits_for_room_goes_on_when_the_process_has_read_and_hears_when_it_never_will(loop: NewLoop) -> None:
    async def scene(room: Room) -> None:
        await room.pipes.input.room()
        room.pipes.input.write(b"x" * LARGE)
        assert room.pipes.input.is_full
        assert room.pipes.input.unread
        waiting = [asyncio.ensure_future(room.pipes.input.room()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in waiting)
        while room.pipes.input.is_full:
            with contextlib.suppress(BlockingIOError):
                os.read(room.reads, LARGE)
            await asyncio.sleep(0.001)
        await asyncio.gather(*waiting)
        room.pipes.input.write(b"x" * LARGE)
        last = asyncio.ensure_future(room.pipes.input.room())
        await asyncio.sleep(0)
        os.close(room.reads)
        with pytest.raises(BrokenPipeError):
            await last
        assert not room.pipes.input.is_open

    in_room(loop, scene)


class Receiver:
    """Meets a defect of ours with the first message."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def received(self, message: Message, _: int | None = None) -> bool:
        raise LookupError(f"no place for {message['id']}")

    def unreadable(self, what: str, _: int | None = None) -> None:
        raise AssertionError(what)

    def ended(self, why: str) -> None:
        self.ends.append(why)


@LOOPS
def test_a_defect_of_ours_ends_the_connection_and_leaves_no_call_waiting(loop: NewLoop) -> None:
    async def scene(room: Room) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
        receiver, transport = Receiver(), StdioTransport(room.pipes)
        transport.open(receiver, Limits())
        os.write(room.writes, b'{"id":1,"result":{}}\n{"id":2,"result":{}}\n')
        await eventually(lambda: bool(receiver.ends))
        assert not transport.is_open
        with pytest.raises(UpstreamError) as refused:
            await transport.carry(PING)
        assert refused.value.trouble is Trouble.NOT_REACHED
        await transport.close()
        assert len(receiver.ends) == 1

    in_room(loop, scene)
