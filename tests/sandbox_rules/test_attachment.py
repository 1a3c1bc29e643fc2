"""The streams of a container: what came with the engine's answer is not lost, and endless output holds nobody up."""

import asyncio
import socket
import threading

from daemon.sandbox.attachment import STDERR, STDOUT, Attachment


async def test_a_program_that_writes_without_end_lets_others_have_their_turn() -> None:
    theirs, ours = socket.socketpair()
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            try:
                theirs.sendall(b"y" * 65536)
            except OSError:
                return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    attachment, turns, pieces = Attachment(ours, terminal=True), 0, 0

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
    over.set()
    attachment.close()
    theirs.close()
    writer.join(10)
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
