"""The head of an answer leaves with the beginning of its body, and alone where nothing comes behind it."""

import asyncio
from collections.abc import Iterable

from daemon.lifecycle.together import Together


class Recorder(asyncio.Transport):
    """What was given to the system, one entry for each time."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.sent.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def test_a_head_and_the_body_behind_it_are_sent_at_once_and_what_follows_by_itself() -> None:
    recorder = Recorder()
    answer = Together(recorder, asyncio.get_running_loop())
    answer.write(b"head ")
    answer.write(b"body ")
    assert recorder.sent == [b"head body "]
    answer.write(b"more")
    await asyncio.sleep(0)
    assert recorder.sent == [b"head body ", b"more"]


async def test_a_head_with_nothing_behind_it_is_sent_in_the_next_turn_of_the_loop() -> None:
    recorder = Recorder()
    answer = Together(recorder, asyncio.get_running_loop())
    answer.write(b"head of a stream")
    assert recorder.sent == []
    await asyncio.sleep(0)
    assert recorder.sent == [b"head of a stream"]
    answer.write(b"the first event")
    assert recorder.sent == [b"head of a stream", b"the first event"]


async def test_a_head_is_sent_before_its_connection_is_closed_and_never_after_that() -> None:
    recorder = Recorder()
    answer = Together(recorder, asyncio.get_running_loop())
    answer.write(b"head")
    answer.close()
    assert (recorder.sent, recorder.closed) == ([b"head"], True)
    cut = Recorder()
    unsent = Together(cut, asyncio.get_running_loop())
    unsent.write(b"head")
    cut.close()
    await asyncio.sleep(0)
    assert cut.sent == []
