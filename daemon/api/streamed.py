"""A call as a stream of events: what it tells on the way, what it asks back, and at last the answer that it would have.

A caller that hangs up calls it off, unless it was told that the call goes on without it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from daemon.api.envelopes import failure_response
from daemon.api.talking import CallTalk
from daemon.core.failures import Failure

MEDIA_TYPE = "text/event-stream"
_SILENCE_SECONDS = 15.0


class CallStream:
    """The answer to one call: plain if there was nothing to tell on the way, as most of them, and else a stream.

    It is what an app of Starlette calls a response.
    """

    def __init__(self, talk: CallTalk, call: Callable[[], Awaitable[JSONResponse]]) -> None:
        self._talk = talk
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a caller that hangs up before that has called the call off."""
        woken = asyncio.Event()
        self._talk.wake(woken.set)
        calling = asyncio.ensure_future(_answered(self._call))
        leaving = asyncio.ensure_future(_left(receive))
        for either in (calling, leaving):
            either.add_done_callback(lambda _: woken.set())
        try:
            await _wait(woken)
            if calling.done() and not self._talk.has_news:
                await calling.result()(scope, receive, send)
            else:
                await _stream(self._talk, calling, leaving, woken, send)
        finally:
            leaving.cancel()
            calling.cancel()  # the run goes on without it, to an end that is written down
            self._talk.hung_up()


async def _stream(
    talk: CallTalk,
    calling: "asyncio.Future[JSONResponse]",
    leaving: "asyncio.Future[None]",
    woken: asyncio.Event,
    send: Send,
) -> None:
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while not leaving.done():
        if said := talk.take():  # at once: questions that belong together arrive together
            await _part(send, b"".join(_event(name, data) for name, data in said))
        if calling.done():
            answer = calling.result()
            body = b'event: answer\ndata: {"status":%d,"body":%b}\n\n' % (answer.status_code, bytes(answer.body))
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        if not await _wait(woken):
            await _part(send, b": still here\n\n")


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait(woken: asyncio.Event) -> bool:
    """Wait for something to happen; False if nothing does for so long that the caller should hear that we are here."""
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            await woken.wait()
    except TimeoutError:
        return False
    woken.clear()
    return True


async def _left(receive: Receive) -> None:
    """Wait until the caller has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answered(call: Callable[[], Awaitable[JSONResponse]]) -> JSONResponse:
    try:
        return await call()
    except Failure as failure:
        return failure_response(failure)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
