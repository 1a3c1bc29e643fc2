"""Lines that a server writes for the log: whose they are, from which level on, and how many are handed on."""

from typing import Any

import pytest

from daemon.base.clock import SystemClock
from daemon.tools.servers.log_lines import CallLines
from daemon.tools.servers.upstream.levels import LEVELS, is_wanted
from daemon.tools.servers.upstream.messages import request
from daemon.tools.servers.upstream.seam import Asking, LogLines, Message
from daemon.tools.servers.upstream.slots import Slot
from daemon.tools.servers.upstream.speaking import hearer
from daemon.tools.servers.upstream.transport import Outgoing

LINE = {"level": "error", "data": "x"}


class Hears:
    """Somebody who hears the lines of a session's call."""

    def __init__(self, session: str, level: str = "info") -> None:
        self.session, self.level = session, level

    def line(self, params: Message) -> None:
        """Take one line."""


def slot(lines: LogLines | None, method: str = "tools/call") -> Slot:
    return Slot(Outgoing(request(1, method, {}), 1), Asking(seconds=1, lines=lines))


async def test_a_line_over_one_pipe_is_heard_only_if_all_calls_under_way_are_of_one_session() -> None:
    mine, again, theirs = Hears("a"), Hears("a"), Hears("b")
    assert hearer(LINE, None, [slot(mine)]) is mine
    assert hearer(LINE, None, [slot(mine), slot(again)]) is again
    assert hearer(LINE, None, [slot(mine), slot(theirs)]) is None
    assert hearer(LINE, None, [slot(mine), slot(None)]) is None, "it may be about the call of somebody who wants none"
    assert hearer(LINE, None, []) is None
    ours = [slot(None, method) for method in ("tools/list", "logging/setLevel", "subscriptions/listen")]
    assert hearer(LINE, None, [*ours, slot(mine)]) is mine


async def test_a_line_on_the_stream_of_one_request_is_of_that_request_whatever_else_is_under_way() -> None:
    mine, theirs = slot(Hears("a")), slot(Hears("b"))
    assert hearer(LINE, mine, [mine, theirs]) is mine.asking.lines
    assert hearer(LINE, slot(None), [mine]) is None


@pytest.mark.parametrize("level", [None, 7, "loud", ["error"], "debug"])
async def test_a_line_below_the_level_or_of_no_level_is_heard_by_nobody(level: Any) -> None:
    assert hearer({"level": level, "data": "x"}, None, [slot(Hears("a"))]) is None


def test_levels_are_in_the_order_of_the_protocol() -> None:
    assert [each for each in LEVELS if is_wanted(each, "error")] == ["error", "critical", "alert", "emergency"]


class Clock(SystemClock):
    """A clock that the test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Talks:
    """Somebody who listens."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def log(self, params: Message) -> None:
        self.heard.append(params)

    def take(self) -> list[Any]:
        taken, self.heard = self.heard, []
        return taken


def test_a_flood_is_heard_at_first_and_then_so_many_lines_a_second_and_the_rest_is_counted() -> None:
    clock, talk = Clock(), Talks()
    lines = CallLines(talk, level="debug", session="a", clean=lambda said: said, clock=clock)  # type: ignore[arg-type]
    for _ in range(1000):
        lines.line(LINE)
    assert talk.take() == [LINE] * 50
    clock.now += 1
    for _ in range(1000):
        lines.line(LINE)
    note, *heard = talk.take()
    assert (note["level"], note["logger"], note["data"].split()[0]) == ("warning", "aileron", "950")
    assert heard == [LINE] * 20
    lines.close()
    assert [each["data"].split()[0] for each in talk.take()] == ["980"]
    lines.close()
    assert talk.take() == []


def test_a_line_that_is_not_handed_on_is_not_searched_for_secrets() -> None:
    searched: list[Message] = []

    def clean(said: Message) -> Message:
        searched.append(said)
        return said

    lines = CallLines(Talks(), level="debug", session="a", clean=clean, clock=Clock())  # type: ignore[arg-type]
    for _ in range(1000):
        lines.line(LINE)
    assert len(searched) == 50


@pytest.mark.parametrize("data", ["x" * 20_000, {"a": ["x" * 20_000]}])
def test_a_long_line_is_cut_and_says_so(data: Any) -> None:
    talk = Talks()
    lines = CallLines(talk, level="debug", session="a", clean=lambda said: said, clock=Clock())  # type: ignore[arg-type]
    lines.line({"level": "error", "data": data, "logger": "y" * 5000})
    [heard] = talk.take()
    assert heard["data"].endswith("... (cut)")
    assert len(heard["data"]) < 8300
    assert len(heard["logger"]) == 200
