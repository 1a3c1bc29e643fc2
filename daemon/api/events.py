"""Server-sent events: approvals that move, and a tool list that changed. Nothing is done while nothing happens."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

from starlette.responses import StreamingResponse

from daemon.api.news import News
from daemon.api.stopping import Stopping
from daemon.approvals.feed import ApprovalFeed
from daemon.approvals.record import Approval
from daemon.core.failures import Failure
from daemon.questions.service import Questions

_SILENCE_SECONDS = 15.0
_OPENED = b": listening\n\n"
_ALIVE = b": still here\n\n"


class EventStream(StreamingResponse):
    """A stream of server-sent events."""

    media_type = "text/event-stream"


async def approval_events(
    feed: ApprovalFeed, read: Callable[[str], Awaitable[Approval]], questions: Questions, *, stopping: Stopping
) -> AsyncIterator[bytes]:
    """Yield approvals and questions in their new states, for the person; `read` returns an approval by its id."""
    news = News()
    told = questions.feed.telling(lambda question: news.question_moved(question.id))
    with _listening(feed, news, stopping), told:
        yield _OPENED
        while not news.is_over:
            if not await news.wait(_SILENCE_SECONDS):
                yield _ALIVE
            for approval_id, _ in news.take_moved():
                yield _event("approval", (await read(approval_id)).as_json())
            for question_id in news.take_questions():
                with suppress(Failure):  # so many have ended since that it is not known any more
                    yield _event("question", questions.get(question_id).as_json())


async def agent_events(
    feed: ApprovalFeed,
    following: Callable[[News], AbstractContextManager[None]],
    *,
    session: str,
    still_open: Callable[[], bool],
    stopping: Stopping,
) -> AsyncIterator[bytes]:
    """Yield what a session needs to know: its own approvals that were decided, and that the tool list changed.

    `following` has the tools, and the end of the session, told to the news for as long as it is entered.
    """
    news = News(session=session)
    with _listening(feed, news, stopping), following(news):
        yield _OPENED
        while still_open() and not news.is_over:
            if not await news.wait(_SILENCE_SECONDS):
                yield _ALIVE
            for approval_id, state in news.take_moved():
                yield _event("approval", {"approval_id": approval_id, "status": state})
            if news.take_tools_changed():
                yield _event("tools_changed", {})
                yield _event("actions_changed", {})  # the name of it in the version before
            for name in news.take_others():
                yield _event(name, {})
            for prefix, address in news.take_updated():
                yield _event("resource_updated", {"prefix": prefix, "uri": address})


def _listening(feed: ApprovalFeed, news: News, stopping: Stopping) -> AbstractContextManager[Any]:
    def moved(approval: Approval) -> None:
        news.approval_moved(approval.id, approval.session, approval.state.value)

    stack = ExitStack()
    stack.enter_context(feed.telling(moved))
    stack.enter_context(stopping.telling(news.end))
    return stack


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
