"""A part of a task that is ended from outside, and what listens for something that happens once."""

import asyncio

import pytest

from daemon.base.interruption import InterruptedPartError, Interruption
from daemon.base.once import Once


async def part(interruption: Interruption, *, swallows: bool = False) -> str:
    with interruption:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not swallows:
                raise
    await asyncio.sleep(0)  # the task itself goes on
    return "went on"


async def under_way(interruption: Interruption, **more: bool) -> "asyncio.Task[str]":
    task = asyncio.ensure_future(part(interruption, **more))
    await asyncio.sleep(0)
    return task


async def test_a_part_that_is_interrupted_says_so_and_its_task_was_not_cancelled() -> None:
    interruption = Interruption()
    task = await under_way(interruption)
    interruption.interrupt()
    interruption.interrupt()
    with pytest.raises(InterruptedPartError):
        await task
    assert not task.cancelled()
    assert task.cancelling() == 0


async def test_a_task_that_is_cancelled_besides_is_cancelled_and_not_interrupted() -> None:
    for first in ("interrupt", "cancel"):
        interruption = Interruption()
        task = await under_way(interruption)
        steps = [interruption.interrupt, task.cancel]
        for step in steps if first == "interrupt" else reversed(steps):
            step()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()


async def test_a_part_inside_of_another_ends_alone_and_the_outer_one_ends_both() -> None:
    inner, outer, ended = Interruption(), Interruption(), []

    async def nested() -> None:
        with outer:
            try:
                await part(inner)
            except InterruptedPartError:
                ended.append("inner")
            await asyncio.Event().wait()

    task = asyncio.ensure_future(nested())
    await asyncio.sleep(0)
    inner.interrupt()
    await asyncio.sleep(0.01)
    assert (ended, task.done()) == (["inner"], False)
    outer.interrupt()
    with pytest.raises(InterruptedPartError):
        await task


async def test_both_at_once_end_as_the_outer_one() -> None:
    async def nested(inner: Interruption, outer: Interruption) -> str:
        with outer:
            try:
                return await part(inner)
            except InterruptedPartError:
                return "inner"

    for outer_first in (True, False):
        inner, outer = Interruption(), Interruption()
        task = asyncio.ensure_future(nested(inner, outer))
        await asyncio.sleep(0)
        for each in (outer, inner) if outer_first else (inner, outer):
            each.interrupt()
        with pytest.raises(InterruptedPartError):
            await task


async def test_what_ends_in_spite_of_it_is_as_it_ended_and_afterwards_nothing_is_interrupted() -> None:
    interruption = Interruption()
    task = await under_way(interruption, swallows=True)
    interruption.interrupt()
    assert await task == "went on"
    assert task.cancelling() == 0
    late = Interruption()
    with late:
        pass
    late.interrupt()
    await asyncio.sleep(0)


async def test_who_listens_is_called_once_also_if_it_has_happened_already() -> None:
    leaving, heard = Once(), []

    def first() -> None:
        heard.append("first")

    def late() -> None:
        heard.append("late")

    def gone() -> None:
        heard.append("gone")

    leaving.listen(first)
    leaving.listen(gone)
    leaving.forget(gone)
    waiting = asyncio.ensure_future(leaving.wait())
    await asyncio.sleep(0)
    assert (heard, leaving.is_set(), waiting.done()) == ([], False, False)
    leaving.set()
    leaving.set()
    leaving.listen(late)
    await asyncio.gather(waiting, leaving.wait())
    await asyncio.sleep(0)
    assert heard == ["first", "late"]


async def test_a_part_ends_by_itself_when_what_it_waits_for_has_happened() -> None:
    for before in (True, False):
        happening = Once()
        if before:
            happening.set()
        task = await under_way(Interruption(when=happening))
        happening.set()
        with pytest.raises(InterruptedPartError):
            await task
        assert task.cancelling() == 0


async def test_what_happens_after_a_part_is_over_ends_nothing() -> None:
    happening = Once()

    async def work() -> str:
        with Interruption(when=happening, seconds=0):
            pass
        happening.set()
        await turns()
        return "went on"

    assert await asyncio.ensure_future(work()) == "went on"


async def test_the_time_of_a_part_ends_it_and_stands_still_while_it_is_held() -> None:
    interruption = Interruption(seconds=0)
    task = await under_way(interruption)
    interruption.hold()
    await turns()
    assert not task.done()
    interruption.go_on()
    interruption.go_on()
    with pytest.raises(InterruptedPartError):
        await task
    interruption.go_on()
    await turns()


async def turns() -> None:
    """Let the loop do what is due."""
    for _ in range(5):
        await asyncio.sleep(0.001)
