"""What one listener of a stream has not been told yet. Holding it costs little, whether the listener reads or not."""

import asyncio
from collections.abc import Sequence

_MOST = 10_000


class News:
    """Approvals and questions that moved, whether the list of tools changed, and whether the stream is over.

    It holds the id and the newest state of each approval, never a record with its arguments, and at most so many: a
    listener that is further behind loses the oldest. Whoever has news never waits for the listener.
    """

    def __init__(self, *, session: str | None = None) -> None:
        self._session = session
        self._moved: dict[str, str] = {}
        self._questions: dict[str, None] = {}
        self._tools_changed = False
        self._others: set[str] = set()
        self._updated: dict[tuple[str, str], None] = {}
        self._woken = asyncio.Event()
        self.is_over = False

    def approval_moved(self, approval_id: str, session: str, state: str) -> None:
        """Note that an approval is in a new state, if it is of the session that this listener is told of."""
        if self._session is not None and session != self._session:
            return
        self._moved.pop(approval_id, None)
        if len(self._moved) >= _MOST:
            del self._moved[next(iter(self._moved))]
        self._moved[approval_id] = state
        self._woken.set()

    def question_moved(self, question_id: str) -> None:
        """Note that a question to the person was asked, or has ended."""
        self._questions.pop(question_id, None)
        if len(self._questions) >= _MOST:
            del self._questions[next(iter(self._questions))]
        self._questions[question_id] = None
        self._woken.set()

    def take_questions(self) -> Sequence[str]:
        """Return the questions that moved since the last time, and forget them."""
        taken, self._questions = self._questions, {}
        return tuple(taken)

    def tools_changed(self) -> None:
        """Note that the list of tools changed."""
        self._tools_changed = True
        self._woken.set()

    def changed(self, name: str) -> None:
        """Note that something else changed; the name is one of a few."""
        self._others.add(name)
        self._woken.set()

    def take_others(self) -> Sequence[str]:
        """Return what else changed since the last time, and forget it."""
        taken, self._others = self._others, set()
        return sorted(taken)

    def updated(self, prefix: str, address: str) -> None:
        """Note that a resource changed that the session watches; how many those are is bounded where it watches."""
        self._updated[prefix, address] = None
        self._woken.set()

    def take_updated(self) -> Sequence[tuple[str, str]]:
        """Return the resources that changed since the last time, each by its server's prefix and its address there."""
        taken, self._updated = self._updated, {}
        return tuple(taken)

    def end(self) -> None:
        """Have the stream ended."""
        self.is_over = True
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news; False if there was none for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def take_moved(self) -> Sequence[tuple[str, str]]:
        """Return the approvals that moved since the last time, each with its newest state, and forget them."""
        taken, self._moved = self._moved, {}
        return tuple(taken.items())

    def take_tools_changed(self) -> bool:
        """Say whether the list of tools changed since the last time, and forget it."""
        taken, self._tools_changed = self._tools_changed, False
        return taken
