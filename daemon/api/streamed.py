"""A call as a stream of events: what it tells on the way, what it asks back, and at last the answer that it would have.

A caller that hangs up calls it off, unless it was told that the call goes on without it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from daemon.api.envelopes import failure_response
from daemon.api.talking import CallTalk
from daemon.core.failures import Failure

MEDIA_TYPE = "text/event-stream"
_SILENCE_SECONDS = 15.0


class CallStream(StreamingResponse):
    """The stream of one call."""

    media_type = MEDIA_TYPE

    def __init__(self, talk: CallTalk, call: Callable[[], Awaitable[JSONResponse]]) -> None:
        super().__init__(_events(talk, call))
        self._talk = talk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the answer; whatever ends it earlier calls the call off."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._talk.hung_up()


async def _events(talk: CallTalk, call: Callable[[], Awaitable[JSONResponse]]) -> AsyncIterator[bytes]:
    woken = asyncio.Event()
    talk.wake(woken.set)
    calling = asyncio.ensure_future(_answered(call))
    calling.add_done_callback(lambda _: woken.set())
    try:
        while not calling.done():
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await woken.wait()
            except TimeoutError:
                yield b": still here\n\n"
            woken.clear()
            for name, data in talk.take():
                yield _event(name, data)
        answer = calling.result()
        yield b'event: answer\ndata: {"status":%d,"body":%b}\n\n' % (answer.status_code, bytes(answer.body))
    finally:
        calling.cancel()  # the run goes on without it, to an end that is written down


async def _answered(call: Callable[[], Awaitable[JSONResponse]]) -> JSONResponse:
    try:
        return await call()
    except Failure as failure:
        return failure_response(failure)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
