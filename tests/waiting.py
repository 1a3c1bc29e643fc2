"""Waits for what is to come to pass, however busy the machine is."""

import asyncio
import time
from collections.abc import Callable

SECONDS = 30.0


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop go on until the condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait until the condition holds; not in a loop of events, which would stand still."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
