"""A call that came in one piece: answered plainly if it just runs to its end, and handed on to a stream otherwise."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse

from daemon.api.talking import CallTalk, Questions
from daemon.api.whole_calls import WholeCall
from daemon.base.whole import App


class Call:
    """A call that is under way."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.has_answer = False
        self.body: bytes | None = b'{"result":1}'

    def plain(self) -> bytes | None:
        if self.body == b"broken":
            raise ValueError("it cannot be written")
        return self.body

    def answer(self) -> JSONResponse:
        return JSONResponse({"asked": 2}, status_code=202)

    def ends(self) -> None:
        self.has_answer = True
        wake, self.wake = self.wake, lambda: None
        wake()


class Caller:
    """Where the answer goes."""

    def __init__(self) -> None:
        self.talk = CallTalk(Questions(), session="ses_1", answers=frozenset())
        self.given: list[bytes] = []
        self.apps: list[App] = []
        self.sent: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.whole = WholeCall(self.talk, self._start, self, around=lambda stream: stream)

    def _start(self, wake: Callable[[], None]) -> Call:
        self.calls.append(Call(wake))
        return self.calls[0]

    def give(self, body: bytes) -> None:
        self.given.append(body)

    def hand_on(self, app: App) -> None:
        self.apps.append(app)

    async def streamed(self) -> bytes:
        """Let the app that it was handed on to give the answer."""

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        async def send(message: Any) -> None:
            self.sent.append(dict(message))

        await self.apps[0]({"type": "http"}, receive, send)
        return b"".join(message.get("body", b"") for message in self.sent)


def test_a_call_that_runs_to_its_end_is_answered_plainly_and_once() -> None:
    caller = Caller()
    caller.whole._wake()  # the run says that it is about to end: there is nothing to give yet
    caller.calls[0].ends()
    assert (caller.given, caller.apps) == ([b'{"result":1}'], [])


@pytest.mark.parametrize("body", [None, b"broken"], ids=["no plain answer", "an answer that cannot be written"])
async def test_what_has_no_plain_answer_is_handed_on_and_answered_there(body: bytes | None) -> None:
    caller = Caller()
    caller.calls[0].body = body
    caller.calls[0].ends()
    assert caller.given == []
    assert await caller.streamed() == b'{"asked":2}'
    assert caller.sent[0]["status"] == 202


async def test_what_is_told_on_the_way_makes_it_a_stream_that_misses_nothing() -> None:
    caller = Caller()
    caller.talk.progress({"progress": 1})
    caller.talk.progress({"progress": 2})  # before the stream has begun
    asyncio.get_running_loop().call_later(0.01, caller.calls[0].ends)
    body = (await caller.streamed()).decode()
    assert [line for line in body.splitlines() if line.startswith("data")] == [
        'data: {"progress":1}',
        'data: {"progress":2}',
        'data: {"status":202,"body":{"asked":2}}',
    ]
    assert caller.given == []


async def test_a_call_that_ends_before_its_stream_begins_is_answered_by_the_stream() -> None:
    caller = Caller()
    caller.whole.hand_on()
    caller.calls[0].ends()
    assert await caller.streamed() == b'{"asked":2}'


async def test_a_caller_that_leaves_calls_the_call_off() -> None:
    caller = Caller()
    caller.whole.hang_up()
    assert caller.talk.cancelled.is_set()


def test_a_call_that_is_answered_is_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        caller = Caller()
        left = [weakref.ref(caller.talk), weakref.ref(caller.calls[0])]
        caller.calls[0].ends()
        del caller.whole, caller  # as whoever has the answer no longer holds who gave it
        assert [each() for each in left] == [None, None]
    finally:
        gc.enable()
