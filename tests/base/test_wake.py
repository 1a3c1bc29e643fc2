"""One waiter that others wake: nothing that happened is missed, and it counts once."""

import asyncio

import pytest

from daemon.base.wake import Wake


async def test_what_happened_before_anybody_waited_counts_once() -> None:
    wake = Wake()
    wake.set()
    wake.set()
    assert await wake.wait(0.01)
    assert not await wake.wait(0.01)


async def test_a_waiter_is_woken_by_what_happens_while_it_waits() -> None:
    wake = Wake()
    asyncio.get_running_loop().call_soon(wake.set)
    assert await wake.wait()


async def test_a_waiter_that_is_cancelled_leaves_what_happens_next_to_the_one_after_it() -> None:
    wake = Wake()
    waiting = asyncio.ensure_future(wake.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    wake.set()
    assert await wake.wait(0.01)
