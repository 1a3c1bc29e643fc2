"""Packs what an agent committed, in a container of its own that has no network and only reads the workspace.

What it writes goes into a file, unread: it is the agent's word, and `daemon/workspaces/` checks it. The container ends
by itself when its time is over, and the engine then removes it, so that none outlives a daemon that was killed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import docker.errors

from daemon.base.opening import opened_on
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox import engine_calls, volumes
from daemon.sandbox.attachment import STDERR, Attachment
from daemon.sandbox.container_options import Packer, packer_creation, packer_host_config
from daemon.sandbox.engine import Engine
from daemon.sandbox.images import Images
from daemon.sandbox.labels import PACKER, labels
from daemon.sandbox.packing_mounts import seen_by_packer
from daemon.sandbox.volumes import Mounted
from daemon.workspaces.layers.layer import Layer
from daemon.workspaces.layers.off_limits import OffLimits
from daemon.workspaces.layers.packing_request import request, snapshot_of

T = TypeVar("T")
_THREADS = 4
_GRACE_SECONDS = 30.0
_HELD_BYTES = 1024**2
_SHOWN_BYTES = 2000
_HEAD_BYTES = 32 * 1024**2
"""What may come beside the pack: the names of branches, and what was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingLimits:
    """What packing may take."""

    pack_bytes: int = 1024**3
    memory_bytes: int = 4 * 1024**3
    """Half of it is for what was not committed."""
    seconds: int = 300


class Packing:
    """Packs the commits of layers; one for each daemon."""

    def __init__(
        self, *, engine: Engine, images: Images, off_limits: OffLimits, home: str, limits: PackingLimits
    ) -> None:
        self._engine = engine
        self._images = images
        self._off_limits = off_limits
        self._home = home
        self._limits = limits
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aileron-packing")
        self._busy: set[str] = set()
        """What is being packed now; a sweep leaves it alone."""

    def limit(self, limits: PackingLimits) -> None:
        """Pack with other limits from now on."""
        self._limits = limits

    async def pack(self, layer: Layer, file: Path, *, have: Collection[str], sha256: bool, snapshot: bool) -> None:
        """Write into a new file what the container says of a layer; raises Failure, and then there is no file.

        `have` is what the person has already. With `snapshot`, one more commit is made of what was not committed.
        """
        about = await self._do(partial(snapshot_of, layer)) if snapshot else None
        asked = request(place=layer.work.inside, have=have, sha256=sha256, snapshot=about, seconds=self._limits.seconds)
        image = await self._image(layer.agent)
        with contextlib.ExitStack() as held:
            looking = partial(_looked_at, layer, self._off_limits)
            mounts, seen = await opened_on(self._threads, looking, close=lambda found: found[1].close())
            held.enter_context(seen)
            name = f"{PACKER}-{layer.session}"
            self._busy.add(name)
            held.callback(self._busy.discard, name)
            packer = Packer(
                image=image,
                name=f"aileron-{layer.session}-{PACKER}",
                user=layer.user,
                mounts=mounts,
                labels=labels(self._home, name, PACKER),
                memory_bytes=self._limits.memory_bytes,
            )
            try:
                await self._run(packer, asked, file)
            except BaseException:
                await self._do(partial(file.unlink, missing_ok=True))
                raise

    async def sweep(self) -> int:
        """Remove what a daemon that was killed left of this; return how much it was."""
        busy = frozenset(self._busy)
        return await self._engine.call(lambda client: engine_calls.sweep_role(client, self._home, PACKER, but=busy))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _image(self, agent: str) -> str:
        """Return an image of ours that is there: of this agent, or of another one, because all have our programs."""
        for each in (agent, *self._images.agents):
            if each in self._images.agents and await self._images.is_there(tag := self._images.pin(each).tag):
                return tag
        raise Failure(
            FailureClass.NOT_FOUND,
            f"Commits are packed in an image of ours, and none is there. Build one: aileron sandbox build {agent}",
            boundary=Boundary.SANDBOX,
        )

    async def _run(self, packer: Packer, asked: bytes, file: Path) -> None:
        starting = asyncio.ensure_future(self._engine.call(lambda client: _start(client, packer)))
        try:
            attached = (await asyncio.shield(starting))[1]
            with contextlib.closing(attached):
                async with asyncio.timeout(self._limits.seconds + _GRACE_SECONDS):
                    said = await self._carry(attached, asked, file)
        except TimeoutError:
            raise _too_much(f"it took longer than {self._limits.seconds} s") from None
        finally:
            await asyncio.shield(self._undo(starting, packer))
        if said:
            raise Failure(
                FailureClass.INTERNAL_ERROR,
                f"What the agent committed could not be packed: {said}",
                boundary=Boundary.SANDBOX,
            )

    async def _undo(self, starting: "asyncio.Future[tuple[str, Attachment]]", packer: Packer) -> None:
        """Remove the container. A start that nobody waits for any more goes on, so it is removed after that."""
        container = None
        with contextlib.suppress(Failure):
            container, attached = await starting
            attached.close()
        await self._engine.call(lambda client: _remove(client, packer, container))

    async def _carry(self, attached: Attachment, asked: bytes, file: Path) -> str:
        """Carry the request in and what is said out; return what the program complained about."""
        complaint, held, total = b"", bytearray(), 0
        most = self._limits.pack_bytes + _HEAD_BYTES
        opened: BinaryIO = await opened_on(self._threads, lambda: file.open("wb"), close=partial(_thrown_away, file))
        asking = asyncio.ensure_future(_ask(attached, asked))
        try:
            async for stream, piece in attached.output():
                if stream == STDERR:
                    complaint = (complaint + piece)[-_SHOWN_BYTES:]
                    continue
                total += len(piece)
                if total > most:
                    raise _too_much(f"it is more than {self._limits.pack_bytes} bytes")
                held += piece
                if len(held) >= _HELD_BYTES:
                    await self._do(partial(opened.write, bytes(held)))
                    held.clear()
            await self._do(partial(opened.write, bytes(held)))
        finally:
            asking.cancel()
            await self._do(opened.close)
        return complaint.decode(errors="replace").strip()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


async def _ask(attached: Attachment, asked: bytes) -> None:
    with contextlib.suppress(OSError):  # it may have ended already; what it wrote says why
        await attached.give(asked)
        attached.end_input()


def _looked_at(layer: Layer, off_limits: OffLimits) -> tuple[list[Mounted], contextlib.ExitStack]:
    """Return what the packer sees, and what holds it open."""
    held = contextlib.ExitStack()
    return held.enter_context(seen_by_packer(layer, off_limits)), held


def _thrown_away(file: Path, opened: BinaryIO) -> None:
    opened.close()
    file.unlink(missing_ok=True)


def _start(client: Any, packer: Packer) -> tuple[str, Attachment]:
    _remove(client, packer, packer.name)  # of a daemon that was killed a moment ago
    volumes.make(client, packer.mounts, packer.labels)
    config = client.create_host_config(**packer_host_config(packer))
    made = str(client.create_container(**packer_creation(packer), host_config=config)["Id"])
    streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    attached = Attachment(client.attach_socket(made, params=streams), terminal=False)
    try:
        client.start(made)
    except BaseException:
        attached.close()
        raise
    return made, attached


def _remove(client: Any, packer: Packer, container: str | None) -> None:
    """Remove the container and its volumes, however far it came."""
    try:
        engine_calls.remove(client, container or packer.name)
    except docker.errors.APIError as problem:
        if problem.status_code != 409:  # the engine is removing it already
            raise
        with contextlib.suppress(docker.errors.NotFound):
            client.wait(container or packer.name, condition="removed")
    with contextlib.suppress(docker.errors.NotFound):
        volumes.remove(client, packer.mounts)


def _too_much(what: str) -> Failure:
    return Failure(
        FailureClass.RESOURCE_LIMIT_EXCEEDED,
        f"What the agent committed cannot be packed: {what}. Land the files only, or let the agent make less of it.",
        boundary=Boundary.SANDBOX,
    )
