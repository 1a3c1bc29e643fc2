"""Hands the writer's answers over to those who wait: one call into each event loop, however many wait on it."""

import asyncio
from collections.abc import Sequence
from typing import Any

Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Any]
"""A loop, what is waited for on it, and the answer, which may be an exception."""


def deliver(waiting: Sequence[Waiting]) -> None:
    """Give each its answer; called on the writer's thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for loop, done, answer in waiting:
        by_loop.setdefault(loop, []).append((done, answer))
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_hand_over, answered)
        except RuntimeError:
            continue  # the loop is closed; what is on disk is on disk


def _hand_over(answered: "list[tuple[asyncio.Future[Any], Any]]") -> None:
    for done, answer in answered:
        if done.done():
            continue
        if isinstance(answer, BaseException):
            done.set_exception(answer)
        else:
            done.set_result(answer)
