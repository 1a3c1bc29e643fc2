"""What a thread opens is closed when whoever waited for it has gone."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import eventually

from daemon.base.opening import opened_on


async def test_what_is_opened_is_handed_over_and_stays_open() -> None:
    closed: list[str] = []
    with ThreadPoolExecutor(1) as threads:
        assert await opened_on(threads, lambda: "it", close=closed.append) == "it"
    assert closed == []


async def test_what_is_opened_after_whoever_waited_has_gone_is_closed() -> None:
    closed: list[str] = []
    may_open = threading.Event()

    def opens() -> str:
        may_open.wait()
        return "it"

    with ThreadPoolExecutor(1) as threads:
        waiting = asyncio.ensure_future(opened_on(threads, opens, close=closed.append))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert closed == []
        may_open.set()
        await eventually(lambda: closed == ["it"])


async def test_what_cannot_be_opened_is_an_error_and_nothing_is_closed() -> None:
    closed: list[object] = []
    may_fail = threading.Event()

    def fails() -> str:
        may_fail.wait()
        raise OSError("no")

    with ThreadPoolExecutor(1) as threads:
        gone = asyncio.ensure_future(opened_on(threads, fails, close=closed.append))
        await asyncio.sleep(0)
        gone.cancel()
        waiting = asyncio.ensure_future(opened_on(threads, fails, close=closed.append))
        may_fail.set()
        with pytest.raises(OSError, match="no"):
            await waiting
    assert closed == []
