"""Lines over pipes, sockets and files: read and written as they come, whoever is slow."""

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aileron_mcp.reading import LineReader, Splitter
from aileron_mcp.writing import LineWriter

LONGEST = 1000


@given(st.lists(st.binary(max_size=40).map(lambda part: part.replace(b"\r", b"\n"))))
def test_lines_are_the_same_however_they_come(pieces: list[bytes]) -> None:
    splitter, whole = Splitter(LONGEST), b"".join(pieces)
    found = [line for piece in pieces for line in splitter.feed(piece)]
    rest = splitter.rest()
    assert b"".join(found) + rest == whole
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in found)
    assert b"\n" not in rest


@given(st.integers(1, 5), st.integers(LONGEST - 2, 3 * LONGEST))
def test_a_line_that_is_too_long_keeps_its_ends_and_is_still_too_long(size: int, length: int) -> None:
    splitter, line = Splitter(LONGEST), b"a" * length + b"z"
    found: list[bytes] = []
    for start in range(0, len(line), size):
        found += splitter.feed(line[start : start + size])
    found += splitter.feed(b"\nnext\n")
    assert found[0].startswith(b"a")
    assert found[0].endswith(b"z\n")
    assert (len(found[0]) > LONGEST) == (len(line) + 1 > LONGEST)
    assert found[1] == b"next\n"


def ends(kind: str) -> tuple[int, int]:
    """Return the descriptor to read from and the one to write to."""
    if kind == "pipe":
        return os.pipe()
    one, other = socket.socketpair()
    return one.detach(), other.detach()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_lines_go_through_in_their_order_and_whole(kind: str) -> None:
    reading, writing = ends(kind)
    lines = [bytes([65 + number % 26]) * (10 ** (number % 6)) + b"\n" for number in range(30)]
    writer, reader = LineWriter(writing), LineReader(reading, longest=10**7)

    async def write() -> None:
        await asyncio.gather(*(writer.write(line) for line in lines))

    writes = asyncio.ensure_future(write())
    assert [await reader.next() for _ in lines] == lines
    await writes
    await writer.close()
    os.close(writing)
    if kind == "pipe":
        assert await reader.next() is None
    os.close(reading)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_reader_that_does_not_read_holds_up_nobody_else(kind: str) -> None:
    reading, writing = ends(kind)
    writer = LineWriter(writing)
    written = asyncio.ensure_future(writer.write(b"x" * 2**22 + b"\n"))
    behind = asyncio.ensure_future(writer.write(b"behind\n"))
    for _ in range(20):
        await asyncio.sleep(0.005)  # the loop goes on
    assert not written.done()
    reader = LineReader(reading, longest=2**23)
    assert len(await reader.next() or b"") == 2**22 + 1
    assert await reader.next() == b"behind\n"
    await asyncio.gather(written, behind)
    await writer.close()
    os.close(writing)
    os.close(reading)


async def test_a_line_that_has_begun_is_written_to_its_end_though_its_writer_is_called_off() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    begun = asyncio.ensure_future(writer.write(b"x" * 2**20 + b"\n"))
    behind = asyncio.ensure_future(writer.write(b"behind\n"))
    await asyncio.sleep(0.01)
    begun.cancel()
    behind.cancel()
    await asyncio.wait((begun, behind))
    assert writer.put(b"last\n") is not None
    reader = LineReader(reading, longest=2**21)
    assert [await reader.next() for _ in range(3)] == [b"x" * 2**20 + b"\n", b"behind\n", b"last\n"]
    await writer.close()
    os.close(writing)
    os.close(reading)


async def test_a_line_that_is_taken_at_once_is_not_returned_and_overtakes_none() -> None:
    reading, writing = os.pipe()
    taken: list[bytes] = []

    def take(line: bytes) -> bool:
        if line.startswith(b"take"):
            taken.append(line)
        return line.startswith(b"take")

    reader = LineReader(reading, longest=LONGEST, at_once=take)
    os.write(writing, b"take 1\nleave 2\ntake 3\n")
    assert await reader.next() == b"leave 2\n"
    assert taken == [b"take 1\n"]
    assert await reader.next() == b"take 3\n"
    os.write(writing, b"take 4\n")
    os.close(writing)
    assert await reader.next() is None
    assert taken == [b"take 1\n", b"take 4\n"]
    os.close(reading)


async def test_who_does_not_take_lines_has_no_more_read() -> None:
    reading, writing = os.pipe()
    reader = LineReader(reading, longest=LONGEST)
    os.set_blocking(writing, False)
    written = 0
    still = -1
    while still != written:
        still = written
        try:
            written += os.write(writing, b"line\n" * 1000)
        except BlockingIOError:
            await asyncio.sleep(0.05)
    assert written < 2**22
    os.close(writing)
    count = 0
    while await reader.next() is not None:
        count += 1
    assert count in {written // 5, written // 5 + 1}  # the last write may have been cut
    os.close(reading)


async def test_a_file_is_read_and_written_as_well(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())
        for number in range(200):
            await writer.write(b"%d\n" % number)
        await writer.write(b"the end")
    with path.open("rb") as file:
        reader = LineReader(file.fileno(), longest=LONGEST)
        found = [line async for line in _all(reader)]
    assert found == [*(b"%d\n" % number for number in range(200)), b"the end"]


async def test_a_pipe_that_was_made_not_to_wait_is_waited_for() -> None:
    # Whoever starts us may share the pipe, and may have set it so.
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    writer, reader = LineWriter(writing), LineReader(reading, longest=2**23)
    line = b"x" * 2**20 + b"\n"
    written = asyncio.ensure_future(writer.write(line))
    assert await reader.next() == line
    await written
    os.close(writing)
    assert await reader.next() is None
    os.close(reading)


async def test_whoever_shares_the_descriptor_still_waits_when_they_read_it() -> None:
    # The shell of a terminal that lent it would end at a read that does not wait.
    reading, writing = os.pipe()
    reader = LineReader(reading, longest=LONGEST)
    for _ in range(3):  # more than are read ahead: it stops to look at the descriptor, and looks again
        os.write(writing, b"line\n" * 100)
        assert [await reader.next() for _ in range(100)] == [b"line\n"] * 100
        assert os.get_blocking(reading)
    reader.close()
    os.close(writing)
    os.close(reading)


async def test_writing_to_nobody_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(writing)
    with pytest.raises(BrokenPipeError):
        await writer.write(b"line\n")
    os.close(writing)


async def test_lines_come_while_another_thread_writes_them_slowly() -> None:
    reading, writing = os.pipe()
    reader = LineReader(reading, longest=LONGEST)

    def write() -> None:
        for piece in (b"o", b"ne\nt", b"wo\n", b"three"):
            os.write(writing, piece)
            threading.Event().wait(0.01)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    assert [line async for line in _all(reader)] == [b"one\n", b"two\n", b"three"]
    thread.join()
    os.close(reading)


async def _all(reader: LineReader):  # type: ignore[no-untyped-def]
    while (line := await reader.next()) is not None:
        yield line
