"""A call as a stream of events: what it tells on the way, what it asks back, and at last the answer that it would have.

A caller that hangs up calls it off, unless it was told that the call goes on without it.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from daemon.api.envelopes import as_failure, failure_response
from daemon.api.talking import CallTalk
from daemon.base.wake import Wake

MEDIA_TYPE = "text/event-stream"
_SILENCE_SECONDS = 15.0
_MOMENT_SECONDS = 0.02
"""A call that takes longer may be one that its caller no longer waits for."""


class Answering(Protocol):
    """A call that is under way, as its answers look."""

    @property
    def has_answer(self) -> bool:
        """Say whether there is an answer."""
        ...

    def answer(self) -> JSONResponse:
        """Return it, or raise the Failure that the call ended with; it is asked for once."""
        ...


Start = Callable[[Callable[[], None]], Answering]
"""Begins a call, and has a function called when there is an answer."""


class CallStream:
    """The answer to one call: plain if there was nothing to tell on the way, as most of them, and else a stream.

    It is what an app of Starlette calls a response.
    """

    def __init__(self, talk: CallTalk, start: Start) -> None:
        self._talk = talk
        self._start = start
        self._wake = Wake()
        self._leaving: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a caller that hangs up before that has called the call off."""
        self._talk.wake(self._wake.set)
        call = self._start(self._wake.set)
        try:
            if not await self._wake.wait(_MOMENT_SECONDS):
                self._watch(receive)
                await self._wake.wait(_SILENCE_SECONDS)
            if call.has_answer and not self._talk.has_news:
                await _answer_of(call)(scope, receive, send)
            else:
                await self._stream(call, self._watch(receive), send)
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            self._talk.hung_up()  # the run goes on without it, to an end that is written down

    def _watch(self, receive: Receive) -> "asyncio.Future[None]":
        """Notice from here on when the caller hangs up; most calls are over before that is worth a task."""
        if self._leaving is None:
            self._leaving = asyncio.ensure_future(_left(receive))
            self._leaving.add_done_callback(lambda _: self._wake.set())
        return self._leaving

    async def _stream(self, call: Answering, leaving: "asyncio.Future[None]", send: Send) -> None:
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not leaving.done():
            if said := self._talk.take():  # at once: questions that belong together arrive together
                await _part(send, b"".join(_event(name, data) for name, data in said))
            if call.has_answer:
                answer = _answer_of(call)
                body = b'event: answer\ndata: {"status":%d,"body":%b}\n\n' % (answer.status_code, bytes(answer.body))
                await send({"type": "http.response.body", "body": body, "more_body": False})
                return
            if not await self._wake.wait(_SILENCE_SECONDS):
                await _part(send, b": still here\n\n")


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    """Wait until the caller has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _answer_of(call: Answering) -> JSONResponse:
    try:
        return call.answer()
    except Exception as problem:  # noqa: BLE001 - what is no known problem is raised again
        return failure_response(as_failure(problem))


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
