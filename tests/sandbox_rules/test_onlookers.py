"""Somebody who looks on at a sandbox and reads slowly holds nobody up."""

import asyncio
import socket

import pytest
from waiting import eventually

from daemon.core.failures import Failure
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.onlookers import _MOST_BEHIND, _Behind


class Endless(socket.socket):
    """A connection on which there is always more."""

    taken = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:  # noqa: ARG002 - the signature is the library's
        self.taken += size
        return b"y" * size


async def test_an_onlooker_who_falls_behind_is_let_go_after_what_came_before_and_the_engine_is_never_kept_waiting() -> (
    None
):
    endless, behind = Endless(), _Behind()
    seen = Attachment(endless, terminal=True)
    reading = asyncio.ensure_future(behind.read(seen))
    await eventually(reading.done)  # although nothing was taken
    assert _MOST_BEHIND < endless.taken < _MOST_BEHIND + 2**20
    got = 0

    async def take() -> None:
        nonlocal got
        async for _, piece in behind.pieces():
            got += len(piece)

    with pytest.raises(Failure, match="You read more slowly than the agent writes"):
        await take()
    assert got == endless.taken
    seen.close()


async def test_an_onlooker_who_keeps_up_gets_everything() -> None:
    theirs, ours = socket.socketpair()
    behind, seen = _Behind(), Attachment(ours, terminal=True)
    reading = asyncio.ensure_future(behind.read(seen))
    got = b""

    async def take() -> None:
        nonlocal got
        async for _, piece in behind.pieces():
            got += piece

    taking = asyncio.ensure_future(take())
    for text in (b"one ", b"two ", b"three"):
        theirs.sendall(text)
        await eventually(lambda text=text: got.endswith(text))  # type: ignore[misc]
    theirs.close()
    await asyncio.gather(reading, taking)
    assert got == b"one two three"
    seen.close()
