"""A bound on what is read of a request, in front of everything that parses it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.api.envelopes import failure_response
from daemon.core.failures import Boundary, Failure, FailureClass

MAX_BODY = 4 * 1024 * 1024


class BodyLimit:
    """Refuses bodies that no request of ours needs, before anything parses them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received; answer 413 past the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared(scope)
        if declared is not None:
            # The parser takes no more than was declared, so there is nothing to count.
            await (self._refuse if declared > MAX_BODY else self._app)(scope, receive, send)
            return
        received = 0
        over = False

        async def counted() -> Message:
            nonlocal received, over
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                over = True
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        async def guarded(message: Message) -> None:
            # The route saw a truncated body; whatever it made of that is not what the caller gets to see.
            if not over:
                await send(message)

        await self._app(scope, counted, guarded)
        if over:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure = Failure(
            FailureClass.INVALID_ARGUMENTS,
            f"The request body is larger than {MAX_BODY} bytes.",
            boundary=Boundary.USER,
        )
        await failure_response(failure, status=413)(scope, receive, send)


def _declared(scope: Scope) -> int | None:
    """Return how long the body will be; None if only its end says so. What is no number is too long."""
    length = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value[:20]) if value.isdigit() else MAX_BODY + 1
    return length
