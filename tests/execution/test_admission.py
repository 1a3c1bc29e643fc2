"""How many runs go at once, who waits, and who is told to come back."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.failures import Failure, FailureClass
from daemon.core.fairness import Rank
from daemon.execution.admission import Admission


def admission(*, most: int = 4, queued: int = 2, wait_seconds: float = 30.0) -> Admission:
    return Admission(most=most, queued=queued, wait_seconds=wait_seconds)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_session_has_at_most_half_of_the_places() -> None:
    room = admission()
    entering = [asyncio.ensure_future(room.enter("a", rank=Rank.NEW)) for _ in range(3)]
    await settle()
    assert [task.done() for task in entering] == [True, True, False]
    await room.enter("b", rank=Rank.NEW)
    room.leave("a")
    await settle()
    assert entering[2].done()


async def test_a_full_queue_turns_a_call_away_at_once_and_says_what_to_do() -> None:
    room = admission()
    entering = [asyncio.ensure_future(room.enter("a", rank=Rank.NEW)) for _ in range(4)]
    await settle()
    with pytest.raises(Failure, match=r"2 calls of this session wait. Nothing was run. Try again") as refused:
        await room.enter("a", rank=Rank.NEW)
    assert refused.value.failure_class is FailureClass.RESOURCE_LIMIT_EXCEEDED
    assert refused.value.retriable
    await room.enter("b", rank=Rank.NEW)
    for task in entering:
        task.cancel()


async def test_a_call_that_gets_no_place_in_time_is_told_to_try_again() -> None:
    room = admission(most=2, wait_seconds=0.05)
    await room.enter("a", rank=Rank.NEW)
    with pytest.raises(Failure, match="no place became free") as refused:
        await room.enter("a", rank=Rank.NEW)
    assert refused.value.retriable
    room.leave("a")
    await room.enter("a", rank=Rank.NEW)


async def test_what_a_person_approved_is_never_turned_away_and_goes_before_what_the_agent_asked() -> None:
    room = admission(most=2, queued=1, wait_seconds=30)
    await room.enter("a", rank=Rank.NEW)
    new = asyncio.ensure_future(room.enter("a", rank=Rank.NEW))
    await settle()
    approved = [asyncio.ensure_future(room.enter("a", rank=Rank.APPROVED)) for _ in range(3)]
    await settle()
    for task in approved:
        room.leave("a")
        await settle()
        assert task.done()
        assert not new.done()
    room.leave("a")
    await new


@settings(deadline=None)
@given(
    calls=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=40), most=st.integers(1, 9)
)
def test_no_place_leaks_whoever_gives_up_when(calls: list[tuple[str, bool, bool]], most: int) -> None:
    async def play() -> None:
        room = admission(most=most, queued=100)

        async def one(session: str) -> None:
            await room.enter(session, rank=Rank.NEW)
            assert room.active <= most
            try:
                await asyncio.sleep(0)
            finally:
                room.leave(session)

        tasks = [asyncio.ensure_future(one(session)) for session, _, _ in calls]
        await asyncio.sleep(0)
        for task, (_, early, late) in zip(tasks, calls, strict=True):
            if early:
                task.cancel()
            if late:
                asyncio.get_running_loop().call_soon(task.cancel)
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert room.active == 0
        for _ in range(max(1, most // 2)):
            await room.enter("a", rank=Rank.NEW)

    asyncio.run(play())
