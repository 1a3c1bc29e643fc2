"""A ring wakes whoever waits, is not lost when nobody does, and never makes the one that rings wait."""

import threading
import time
from collections.abc import Iterator

import pytest

from daemon.base.doorbell import Doorbell


@pytest.fixture
def bell() -> Iterator[Doorbell]:
    made = Doorbell()
    yield made
    made.close()


def test_a_ring_wakes_the_thread_that_waits(bell: Doorbell) -> None:
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(bell.wait(20)))
    waiting.start()
    bell.ring()
    waiting.join(20)
    assert heard == [True]


def test_a_ring_that_nobody_waited_for_is_heard_by_the_next_who_waits_and_only_once(bell: Doorbell) -> None:
    bell.ring()
    bell.ring()
    assert bell.wait(None)
    assert not bell.wait(0)


def test_without_a_ring_a_wait_ends_when_its_time_is_over(bell: Doorbell) -> None:
    began = time.monotonic()
    assert not bell.wait(0.02)
    assert time.monotonic() - began >= 0.02


def test_a_ring_does_not_wait_however_many_were_not_heard(bell: Doorbell) -> None:
    for _ in range(100_000):  # more than a pipe holds
        bell.ring()
    assert bell.wait(0)


def test_a_wait_may_be_longer_than_the_system_can_count(bell: Doorbell) -> None:
    bell.ring()
    assert bell.wait(1e12)
