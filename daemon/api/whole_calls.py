"""A call that came in one piece: it is answered in one piece if it just runs to its end, and otherwise as a stream.

Most calls do. What a stream needs, a task that waits and messages of ASGI, is made only for those that tell something
on the way, ask back, fail, wait for a person, or take long.
"""

from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp

from daemon.api.streamed import Answering, CallStream
from daemon.api.talking import CallTalk
from daemon.base.whole import Reply


class PlainlyAnswering(Answering, Protocol):
    """A call that is under way, whose answer may be a plain one."""

    def plain(self) -> bytes | None:
        """Return the body of the answer with status 200, if the call has run to its end; it may raise anything."""
        ...


class WholeCall:
    """One call. It belongs to the event loop's thread."""

    __slots__ = ("_around", "_call", "_reply", "_stream", "_talk")

    def __init__(
        self,
        talk: CallTalk,
        start: Callable[[Callable[[], None]], PlainlyAnswering],
        reply: Reply,
        *,
        around: Callable[[ASGIApp], ASGIApp],
    ) -> None:
        """Begin the call; `around` puts around a stream what stands around it in the app."""
        self._talk = talk
        self._reply = reply
        self._around = around
        self._stream: Callable[[], None] | None = None
        """Wakes the stream that answers from here on, if there is one."""
        talk.wake(self._wake)
        self._call = start(self._wake)

    def hang_up(self) -> None:
        """Call it off, because the caller is gone."""
        self._talk.hung_up()

    def hand_on(self) -> None:
        """Answer as a stream from here on."""
        self._reply.hand_on(self._around(CallStream(self._talk, self._as_begun)))

    def _as_begun(self, wake: Callable[[], None]) -> Answering:
        self._stream = wake
        if self._call.has_answer or self._talk.has_news:
            wake()
        return self._call

    def _wake(self) -> None:
        if self._stream is None:
            self._look()
        else:
            self._stream()

    def _look(self) -> None:
        if not self._call.has_answer and not self._talk.has_news:
            return
        try:
            body = None if self._talk.has_news else self._call.plain()
        except Exception:  # noqa: BLE001 - it is raised again where a defect becomes an answer and a line in the log
            body = None
        if body is None:
            self.hand_on()
        else:
            self._talk.wake(_nobody)  # so that nothing of a call refers to itself, and it is freed at once
            self._reply.give(body)


def _nobody() -> None:
    """Wake nobody: the call is over."""
