"""Builds in the engine: what it says while it builds, as progress; and one build for all who want the same image."""

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker.errors

from daemon.core.failures import Failure
from daemon.sandbox.engine import Engine

_STEP = re.compile(r"Step (?P<number>\d+)/(?P<all>\d+) : (?P<what>.*)", re.DOTALL)
_MOST_TOLD = 20_000
"""How many messages of one build are kept for somebody who comes later."""

Told = dict[str, Any]
Begin = Callable[[], AsyncGenerator[Told, None]]


class BuildStream:
    """One build, whose messages come on a thread of the engine's. `end` cuts its connection, and so ends the build."""

    def __init__(self, engine: Engine, described: Mapping[str, Any]) -> None:
        self._engine = engine
        self._described = described
        self._thread: int | None = None
        self._response: Any = None
        self._given_up = False

    async def messages(self) -> AsyncGenerator[Told, None]:
        """Hand on what the engine says; whoever stops listening stops the build."""
        loop = asyncio.get_running_loop()
        said: asyncio.Queue[Told | None] = asyncio.Queue()

        def work(client: Any) -> None:
            self._thread = threading.get_ident()
            client.hooks["response"].append(self._note)
            try:
                lines: Iterator[Told] = client.build(rm=True, forcerm=True, decode=True, **self._described)
                for line in lines:
                    loop.call_soon_threadsafe(said.put_nowait, line)
            except Exception as problem:
                if self._given_up:
                    return
                if isinstance(problem, docker.errors.DockerException | OSError):
                    raise
                # What is below the library has errors of its own for an answer that breaks off.
                raise ConnectionError(f"its answer broke off: {problem}") from problem
            finally:
                client.hooks["response"].remove(self._note)

        async def run() -> None:
            try:
                await self._engine.call(work)
            except Failure as failure:
                said.put_nowait({"error": failure.message})
            finally:
                said.put_nowait(None)

        building = loop.create_task(run(), name="build an image")
        try:
            while (line := await said.get()) is not None:
                yield line
        finally:
            self._cut()
            await building

    def _note(self, response: Any, *_: Any, **__: Any) -> None:
        # The engine's client has one list of hooks for all its threads.
        if threading.get_ident() == self._thread:
            self._response = response

    def _cut(self) -> None:
        """Close the connection from this side: the engine stops what it builds for nobody, and removes its container.

        Closing the answer itself would wait for the thread that reads it.
        """
        self._given_up = True
        if self._response is None or self._response.raw.closed:
            return
        with contextlib.suppress(OSError, AttributeError):  # the answer has ended meanwhile, and with it its connection
            self._response.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - nothing else reaches it


class Downloads:
    """Adds up what an engine says of the parts of an image that it downloads."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[int, int]] = {}

    def take(self, line: Told) -> Told | None:
        """Return how much has come of how much, or None for a message about something else."""
        detail = line.get("progressDetail")
        if line.get("status") != "Downloading" or not isinstance(detail, dict) or "total" not in detail:
            return None
        self._parts[str(line.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))
        return {"downloaded": sum(a for a, _ in self._parts.values()), "of": sum(b for _, b in self._parts.values())}


def step_of(text: str) -> Told:
    """Return which step of how many a message announces; nothing for another message."""
    match = _STEP.match(text)
    return {} if match is None else {"step": int(match["number"]), "steps": int(match["all"])}


@dataclass(slots=True)
class _Shared:
    began: float
    told: list[Told] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    listeners: int = 0
    problem: BaseException | None = None
    task: "asyncio.Task[None] | None" = None


class SharedBuilds:
    """One build for all who want the same image at the same time; it is given up when the last of them has left.

    none --first listener--> under way --its last message--> none
                                 |                             ^
                                 +--the last listener leaves---+
    """

    def __init__(self) -> None:
        self._under_way: dict[str, _Shared] = {}

    async def follow(self, key: str, begin: Begin) -> AsyncGenerator[Told, None]:
        """Hand out everything that is told of the build of a key, from its beginning; begin it if there is none."""
        shared = self._under_way.get(key)
        joined = shared is not None
        if shared is None:
            shared = self._under_way[key] = _Shared(began=time.monotonic())
            shared.task = asyncio.get_running_loop().create_task(self._build(key, shared, begin), name=f"build {key}")
        shared.listeners += 1
        try:
            if joined:
                yield {"joined": True, "seconds": round(time.monotonic() - shared.began, 1)}
            async for each in _from_the_start(shared):
                yield each
        finally:
            shared.listeners -= 1
            if not shared.listeners and not shared.over and shared.task is not None:
                self._under_way.pop(key, None)  # who comes now begins anew
                shared.task.cancel()
                await asyncio.wait({shared.task})
        if shared.problem is not None:
            raise shared.problem

    async def in_turn(self, key: str, begin: Begin) -> AsyncGenerator[Told, None]:
        """Hand out what is told of a build that begins when no other of this key is under way; that one is shown first.

        For what is made from files that may have changed since the other build read them.
        """
        while key in self._under_way:
            with contextlib.suppress(Failure):
                async with contextlib.aclosing(self.follow(key, begin)) as others:
                    async for each in others:
                        if "done" not in each and "error" not in each:
                            yield each
        async with contextlib.aclosing(self.follow(key, begin)) as own:
            async for each in own:
                yield each

    async def _build(self, key: str, shared: _Shared, begin: Begin) -> None:
        try:
            async with contextlib.aclosing(begin()) as messages:
                async for each in messages:
                    if len(shared.told) < _MOST_TOLD:
                        shared.told.append(each)
                    else:
                        shared.told[-1] = each
                    shared.more.set()
        except Failure as failure:
            shared.problem = failure
        finally:
            shared.over = True
            shared.more.set()
            if self._under_way.get(key) is shared:
                self._under_way.pop(key)


async def _from_the_start(shared: _Shared) -> AsyncIterator[Told]:
    place = 0
    while True:
        while place < len(shared.told):
            yield shared.told[place]
            place += 1
        if shared.over:
            return
        shared.more.clear()
        await shared.more.wait()
