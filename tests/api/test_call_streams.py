"""The answer to one call: plain where there was nothing to tell on the way, a stream where there was."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.responses import JSONResponse

from daemon.api.answers import CallJson
from daemon.api.streamed import CallStream
from daemon.api.talking import CallTalk, Questions
from daemon.core.failures import Boundary, Failure, FailureClass


class Call:
    """A call that is under way."""

    def __init__(self, call: Callable[[], Coroutine[Any, Any, JSONResponse]], wake: Callable[[], None]) -> None:
        self.task = asyncio.ensure_future(call())
        self.task.add_done_callback(lambda _: wake())

    @property
    def has_answer(self) -> bool:
        return self.task.done()

    def answer(self) -> JSONResponse:
        return self.task.result()


class Caller:
    """Who called: what it was sent, and whether it has hung up."""

    def __init__(self) -> None:
        self.talk = CallTalk(Questions(), session="ses_1", answers=frozenset())
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.begun = asyncio.Event()

    async def answered(self, call: Callable[[], Coroutine[Any, Any, JSONResponse]]) -> None:
        async def receive() -> dict[str, Any]:
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.sent.append(dict(message))
            self.begun.set()

        await CallStream(self.talk, lambda wake: Call(call, wake))({"type": "http"}, receive, send)

    @property
    def media_type(self) -> bytes:
        return dict(self.sent[0]["headers"])[b"content-type"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def test_a_call_with_nothing_to_tell_is_answered_plainly_with_its_own_status() -> None:
    async def call() -> JSONResponse:
        await asyncio.sleep(0)
        return JSONResponse({"result": 1}, status_code=202)

    caller = Caller()
    await caller.answered(call)
    assert (caller.sent[0]["status"], caller.media_type) == (202, b"application/json")
    assert json.loads(caller.body) == {"result": 1}


async def test_a_call_that_fails_with_nothing_to_tell_is_answered_with_its_failure() -> None:
    async def call() -> JSONResponse:
        raise Failure(FailureClass.NOT_FOUND, "There is no such thing.", boundary=Boundary.USER)

    caller = Caller()
    await caller.answered(call)
    assert caller.sent[0]["status"] == 404
    assert json.loads(caller.body)["error"]["message"] == "There is no such thing."


async def test_what_is_told_on_the_way_makes_it_a_stream_that_ends_with_the_answer() -> None:
    caller = Caller()

    async def call() -> JSONResponse:
        caller.talk.progress({"progress": 1})
        await caller.begun.wait()
        return JSONResponse({"result": 2})

    await caller.answered(call)
    assert (caller.sent[0]["status"], caller.media_type) == (200, b"text/event-stream")
    told, last, rest = caller.body.decode().split("\n\n")
    assert told == 'event: progress\ndata: {"progress":1}'
    assert last == 'event: answer\ndata: {"status":200,"body":{"result":2}}'
    assert rest == ""
    assert caller.sent[-1]["more_body"] is False


async def test_who_hangs_up_calls_the_call_off_and_is_sent_no_answer() -> None:
    caller = Caller()

    async def call() -> JSONResponse:
        caller.gone.set()
        await caller.talk.cancelled.wait()
        return JSONResponse({"result": 3})

    await caller.answered(call)
    assert caller.talk.cancelled.is_set()
    assert b"result" not in caller.body


async def test_a_call_that_takes_longer_than_a_moment_with_nothing_to_tell_is_still_answered_plainly() -> None:
    async def call() -> JSONResponse:
        await asyncio.sleep(0.1)
        return JSONResponse({"result": 4})

    caller = Caller()
    await caller.answered(call)
    assert (caller.sent[0]["status"], caller.media_type) == (200, b"application/json")
    assert json.loads(caller.body) == {"result": 4}


def test_the_answer_to_a_call_is_written_as_the_framework_writes_it() -> None:
    values = [{"text": 'Grüße \u2028 " \\ \n', "number": 1.5, "none": None, "list": [True, {}]}, [], "", 0]
    for value in values:
        ours, theirs = CallJson(value, status_code=202), JSONResponse(value, status_code=202)
        assert (ours.body, ours.status_code) == (theirs.body, theirs.status_code)
        assert sorted(ours.raw_headers) == sorted(theirs.raw_headers)
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        CallJson({"number": float("inf")})
