"""The streams of a container: what came with the engine's answer is not lost, and endless output holds nobody up."""

import asyncio
import socket

from daemon.sandbox.attachment import STDERR, STDOUT, Attachment


class Endless(socket.socket):
    """A connection on which there is always more."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:  # noqa: ARG002 - the signature is the library's
        return b"y" * size


async def test_a_program_that_writes_without_end_lets_others_have_their_turn() -> None:
    attachment, turns, pieces = Attachment(Endless(), terminal=True), 0, 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(another())
    async for _ in attachment.output():  # as with a reader who has gone: nothing in this loop waits
        pieces += 1
        if pieces == 100:
            break
    attachment.close()
    other.cancel()
    assert turns >= 99


async def test_pieces_are_told_apart_wherever_the_engine_cuts_them() -> None:
    theirs, ours = socket.socketpair()
    whole = b"".join(
        bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for kind, text in ((1, b"out"), (2, b"err"))
    )
    attachment = Attachment(ours, terminal=False)

    async def collected() -> list[tuple[int, bytes]]:
        return [piece async for piece in attachment.output()]

    reading = asyncio.ensure_future(collected())
    for place in range(len(whole)):
        await asyncio.get_running_loop().run_in_executor(None, theirs.sendall, whole[place : place + 1])
    theirs.close()
    assert await reading == [(STDOUT, b"out"), (STDERR, b"err")]
    attachment.close()
