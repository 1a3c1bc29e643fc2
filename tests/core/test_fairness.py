"""The rules of sharing between sessions, for any order of arrivals and departures."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.fairness import FairQueue, Rank, Shares

SESSIONS = ("a", "b", "c", "d")
arrivals = st.lists(st.tuples(st.sampled_from(SESSIONS), st.sampled_from(Rank)), max_size=40)


def anything(_key: str, _item: object) -> bool:
    return True


def drain(queue: FairQueue[int]) -> list[tuple[str, int]]:
    taken = []
    while (turn := queue.take(anything)) is not None:
        taken.append(turn)
    return taken


@given(arrivals)
def test_everything_that_waits_is_taken_once(waiting: list[tuple[str, Rank]]) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, (key, rank) in enumerate(waiting):
        queue.put(key, item, rank=rank)
    assert queue.size == len(waiting)
    assert sorted(drain(queue)) == sorted((key, item) for item, (key, _) in enumerate(waiting))
    assert queue.size == 0


@given(arrivals)
def test_no_session_is_taken_twice_while_another_that_waits_is_passed_over(waiting: list[tuple[str, Rank]]) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, (key, rank) in enumerate(waiting):
        queue.put(key, item, rank=rank)
    left = {key: queue.waiting(key) for key in SESSIONS}
    since: dict[str, int] = dict.fromkeys(SESSIONS, 0)
    for key, _ in drain(queue):
        for other in SESSIONS:
            if other != key and left[other]:
                since[other] += 1
                assert since[other] < len(SESSIONS), "a waiting session was passed over for longer than one round"
        since[key] = 0
        left[key] -= 1


@given(arrivals)
def test_within_a_session_the_rank_decides_and_then_who_came_first(waiting: list[tuple[str, Rank]]) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, (key, rank) in enumerate(waiting):
        queue.put(key, item, rank=rank)
    taken = drain(queue)
    for key in SESSIONS:
        mine = [(waiting[item][1], item) for session, item in taken if session == key]
        assert mine == sorted(mine)


@given(arrivals, st.data())
def test_what_is_removed_is_never_taken_and_nothing_else_is_lost(
    waiting: list[tuple[str, Rank]], data: st.DataObject
) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, (key, rank) in enumerate(waiting):
        queue.put(key, item, rank=rank)
    gone = data.draw(st.sets(st.sampled_from(range(len(waiting))))) if waiting else set()
    for item in gone:
        assert queue.remove(waiting[item][0], item)
        assert not queue.remove(waiting[item][0], item)
    assert {item for _, item in drain(queue)} == set(range(len(waiting))) - gone


def test_a_session_that_may_not_go_holds_up_nobody() -> None:
    queue: FairQueue[int] = FairQueue()
    for item in range(100):
        queue.put("full", item, rank=Rank.NEW)
    queue.put("other", 100, rank=Rank.NEW)
    assert queue.take(lambda key, _item: key != "full") == ("other", 100)


@given(st.integers(1, 64), st.lists(st.tuples(st.sampled_from(SESSIONS), st.booleans()), max_size=200))
def test_a_session_never_holds_more_than_half_and_all_together_never_more_than_there_is(
    total: int, moves: list[tuple[str, bool]]
) -> None:
    shares = Shares(total)
    for key, wants in moves:
        if wants and shares.may_take(key):
            shares.take(key)
        elif not wants and shares.held(key):
            shares.give_back(key)
        assert shares.held(key) <= max(1, total // 2)
        assert shares.used == sum(map(shares.held, SESSIONS)) <= total


@given(st.integers(2, 512))
def test_however_much_one_session_takes_a_new_one_gets_its_first_at_once(total: int) -> None:
    shares = Shares(total)
    while shares.may_take("greedy"):
        shares.take("greedy")
    assert shares.may_take("new")


@given(st.integers(4, 512))
def test_even_two_sessions_that_take_all_they_can_leave_a_third_its_first(total: int) -> None:
    shares = Shares(total)
    for greedy in ("first", "second"):
        while shares.may_take(greedy):
            shares.take(greedy)
    assert shares.may_take("new")
