"""What callers hand to the log's writer, and how they are told what became of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.audit.at_rest import AtRest
from daemon.audit.commit import Appended, Entry, Prepared


@dataclass(slots=True, eq=False)
class Job:
    """A caller who waits. If it is cancelled its future is, and nobody tells it the answer; the entry stands."""

    entry: Entry
    done: "asyncio.Future[Appended[Any]]"
    loop: asyncio.AbstractEventLoop
    last: bool = False
    resumes: Prepared | None = None
    """The event with which a person goes on with a damaged log."""
    between: Callable[[AtRest], Any] | None = None
    """What is done before the next commit, once all is signed."""


def deliver(jobs: Sequence[Job], answers: Sequence[Any]) -> None:
    """Tell each caller its answer, on the loop that it waits on: each loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.done, answer))
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answered)
        except RuntimeError:
            continue  # the loop is closed; what is on disk is on disk


def _settle(answered: "list[tuple[asyncio.Future[Any], Any]]") -> None:
    for done, answer in answered:
        if done.done():
            continue
        if isinstance(answer, BaseException):
            done.set_exception(answer)
        else:
            done.set_result(answer)
