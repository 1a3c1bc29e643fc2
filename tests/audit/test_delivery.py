"""No job is lost on its way to the writer, and no answer on its way back; a loop that has stopped holds up nobody."""

import asyncio
import threading
from contextlib import closing

from daemon.audit.delivery import Answers, Inbox


def test_jobs_come_out_in_their_order_and_a_ring_for_what_was_taken_already_is_no_job() -> None:
    with closing(Inbox[int]()) as inbox:
        inbox.put([1])
        inbox.put([2, 3])
        assert [inbox.take(2, 20), inbox.take(2, 20), inbox.take(2, 0.01)] == [[1, 2], [3], []]


def test_what_is_put_back_comes_out_first_and_in_its_order() -> None:
    with closing(Inbox[int]()) as inbox:
        inbox.put([1, 2, 3])
        first, *rest = inbox.take(9, 20)
        inbox.put([4])
        inbox.put_back(rest)
        assert [first, *inbox.take(9, 20)] == [1, 2, 3, 4]


def test_every_job_of_many_threads_reaches_a_writer_that_sleeps_in_between() -> None:
    with closing(Inbox[int]()) as inbox:
        senders = [
            threading.Thread(target=lambda start=start: [inbox.put([start + n]) for n in range(2000)])
            for start in (0, 2000)
        ]
        for sender in senders:
            sender.start()
        taken: list[int] = []
        while len(taken) < 4000 and (more := inbox.take(256, 20)):
            taken += more
        for sender in senders:
            sender.join()
    assert sorted(taken) == list(range(4000))


async def test_each_waiter_gets_its_own_answer_and_one_who_has_left_disturbs_nobody() -> None:
    loop = asyncio.get_running_loop()
    counted: list[int] = []
    with closing(Answers(loop, told=counted.append)) as answers:
        fine, failed, left = (loop.create_future() for _ in range(3))
        left.cancel()
        given = [(left, 1), (failed, LookupError("no")), (fine, 2)]
        writer = threading.Thread(target=answers.give, args=(given,))
        writer.start()
        assert await fine == 2
        writer.join()
        assert isinstance(failed.exception(), LookupError)
        assert sum(counted) == 3


def test_an_answer_for_a_loop_that_was_closed_is_dropped() -> None:
    async def ask() -> "tuple[Answers, asyncio.Future[int]]":
        loop = asyncio.get_running_loop()
        return Answers(loop, told=lambda _: None), loop.create_future()

    answers, done = asyncio.run(ask())
    for _ in range(100_000):  # more than a pipe holds
        answers.give([(done, 1)])
    answers.close()
    assert not done.done()
