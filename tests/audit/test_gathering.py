"""Events of one busy moment go to the writer together; one that is alone goes at once; none stays behind."""

import asyncio
from collections.abc import Sequence

from daemon.audit.gathering import Gathering


class Clock:
    """Moves by a step at every look."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def idle(step: float) -> tuple[Gathering[int], list[list[int]]]:
    """Return a gathering in front of a writer that has nothing to do, and what was handed over."""
    handed: list[list[int]] = []

    def take(jobs: Sequence[int]) -> None:
        handed.append(list(jobs))

    return Gathering(take, now=Clock(step)), handed


async def busy(step: float) -> tuple[Gathering[int], list[list[int]]]:
    """Return one in front of a writer that has not answered its last job yet."""
    gathered, handed = idle(step)
    gathered.add(0, asyncio.get_running_loop())
    assert handed == [[0]]
    handed.clear()
    return gathered, handed


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_event_that_is_alone_is_handed_over_at_once() -> None:
    gathered, handed = idle(0.0002)
    for job in range(3):
        gathered.add(job, asyncio.get_running_loop())
        assert handed.pop() == [job]
        gathered.answered(1)


async def test_after_a_group_of_several_the_next_one_is_awaited_until_one_was_alone_again() -> None:
    gathered, handed = await busy(0.0002)
    loop = asyncio.get_running_loop()
    gathered.add(1, loop)
    gathered.add(2, loop)
    await turns(20)
    gathered.answered(3)
    gathered.add(3, loop)
    assert handed == [[1, 2]]
    await turns(20)
    assert handed == [[1, 2], [3]]
    gathered.answered(1)
    gathered.add(4, loop)
    assert handed == [[1, 2], [3], [4]]


async def test_what_comes_within_a_few_busy_turns_of_the_loop_is_handed_over_together_and_in_order() -> None:
    gathered, handed = await busy(0.0002)
    loop = asyncio.get_running_loop()
    for job in range(4):
        gathered.add(job, loop)
        await turns(1)
    assert handed == []
    await turns(20)
    assert handed == [[0, 1, 2, 3]]


async def test_an_idle_loop_hands_over_to_a_busy_writer_at_its_next_turn() -> None:
    gathered, handed = await busy(0.00001)
    gathered.add(1, asyncio.get_running_loop())
    await turns(2)
    assert handed == [[1]]


async def test_long_turns_do_not_hold_an_event_back_for_long() -> None:
    gathered, handed = await busy(0.015)
    gathered.add(1, asyncio.get_running_loop())
    await turns(3)
    assert handed == [[1]]


async def test_nothing_is_handed_over_twice_or_left_behind_by_a_flush() -> None:
    gathered, handed = await busy(0.0002)
    loop = asyncio.get_running_loop()
    gathered.add(1, loop)
    gathered.flush()
    gathered.flush()
    gathered.add(2, loop)
    await turns(20)
    assert handed == [[1], [2]]


def test_what_a_stopped_loop_has_left_behind_goes_with_the_first_event_of_another() -> None:
    gathered, handed = idle(0.0002)

    async def add(job: int, wait: int) -> None:
        gathered.add(job, asyncio.get_running_loop())
        await turns(wait)

    asyncio.run(add(0, 0))  # nobody answers this one
    asyncio.run(add(1, 0))
    asyncio.run(add(2, 20))
    assert handed == [[0], [1, 2]]
