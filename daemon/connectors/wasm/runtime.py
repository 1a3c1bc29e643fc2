"""The WebAssembly runtime as the rest of the daemon sees it: prepare at install, load, execute, close."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime.component import Component

from daemon.base.clock import Clock, Entropy
from daemon.connectors.wasm.cache import CacheUnsafe, CompiledCache
from daemon.connectors.wasm.call_time import CallTime
from daemon.connectors.wasm.compilation import Compilation
from daemon.connectors.wasm.engine import Ticker, engine_tag, make_engine
from daemon.connectors.wasm.errors import (
    ConnectorCrash,
    ConnectorError,
    ConnectorFault,
    ConnectorRejected,
    ConnectorTimeout,
    ResourceExceeded,
)
from daemon.connectors.wasm.guest_call import GuestCall, HostServices, Log
from daemon.connectors.wasm.inspection import check_component, parse_description
from daemon.connectors.wasm.limits import DESCRIBE_LIMITS, MAX_MEMORIES, MAX_WASM_BYTES, MIB, CallLimits
from daemon.connectors.wasm.native import GuestTrap, Program, make_linker
from daemon.connectors.wasm.scheduler import Scheduler
from daemon.connectors.wasm.traps import too_many_memories
from daemon.connectors.wasm.workers import Workers
from daemon.core.turn import Turn

Http = Callable[[str], Awaitable[tuple[bool, str]]]
"""Answers a guest's request: True and the response's JSON, or False and the error's."""

_LOAD_LIMITS = replace(DESCRIBE_LIMITS, seconds=60, memory_bytes=2**30)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that may be installed."""

    component_hash: str
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadedConnector:
    """A compiled program, ready to be executed any number of times at once."""

    component_hash: str
    program: Program
    memories: int


class WasmRuntime:
    """Runs connectors. It belongs to one event loop at a time."""

    def __init__(
        self, *, cache_dir: Path, clock: Clock, entropy: Entropy, threads: int = 512, active: int | None = None
    ) -> None:
        self._cache = CompiledCache(directory=cache_dir, tag=engine_tag())
        self._engine = make_engine()
        self._linker = make_linker(self._engine)
        self._ticker = Ticker(self._engine)
        self._services = HostServices(clock=clock, entropy=entropy, ticker=self._ticker)
        self._scheduler = Scheduler(
            active=active if active is not None else max(2, 2 * (os.cpu_count() or 1)),
            workers=Workers(most=threads),
            ticker=self._ticker,
        )
        self._compilation = Compilation()
        self._loaded: dict[str, LoadedConnector] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._cache_open = False

    async def prepare(
        self, wasm: bytes, *, manifest_json: str = "{}", memory_bytes: int = DESCRIBE_LIMITS.memory_bytes
    ) -> Prepared:
        """Find out whether a program may be installed, and what it offers; raises ConnectorRejected if not."""
        loaded = await self.load(wasm)
        try:
            ops = await self.describe(loaded, manifest_json=manifest_json, memory_bytes=memory_bytes)
        except ConnectorRejected:
            raise
        except ConnectorFault as fault:
            raise ConnectorRejected(f"The connector could not describe itself. {fault}") from fault
        return Prepared(component_hash=loaded.component_hash, ops=ops)

    async def load(self, wasm: bytes | Path) -> LoadedConnector:
        """Return the compiled program, from memory, from the cache, or by compiling it in a child process."""
        binary: bytes = wasm if isinstance(wasm, bytes) else await self._in_worker(partial(_read_program, wasm))
        if len(binary) > MAX_WASM_BYTES:
            raise ConnectorRejected(
                f"connector.wasm has {len(binary)} bytes; {MAX_WASM_BYTES} ({MAX_WASM_BYTES // MIB} MiB) are the limit."
            )
        key = hashlib.sha256(binary).hexdigest()
        known = self._loaded.get(key)
        if known is not None:
            return known
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._loaded:
                self._loaded[key] = await self._load(key, binary)
        self._loading.pop(key, None)
        return self._loaded[key]

    async def describe(
        self,
        loaded: LoadedConnector,
        *,
        manifest_json: str = "{}",
        memory_bytes: int = DESCRIBE_LIMITS.memory_bytes,
    ) -> tuple[str, ...]:
        """Ask a program for the names of its operations; it reaches nothing meanwhile."""
        limits = replace(DESCRIBE_LIMITS, memory_bytes=memory_bytes)

        def body(call: GuestCall) -> str:
            return loaded.program.call_describe(call, limits, memories=loaded.memories)

        text: str = await self._converse(self._call(body, limits, manifest_json), _no_network, _no_log)
        return parse_description(text)

    async def execute(
        self,
        loaded: LoadedConnector,
        op: str,
        args_json: str,
        *,
        http: Http,
        log: Log,
        manifest_json: str,
        limits: CallLimits,
        turn: Turn | None = None,
        time: CallTime | None = None,
    ) -> str:
        """Run one operation in a fresh instance and return its result's JSON, unchecked.

        http and log are called on the event loop. An exception of theirs comes out unchanged, and ends the guest. The
        call waits for its turn first; its time, which the caller may share, begins with the guest.
        """
        try:
            op_bytes, arguments = op.encode(), args_json.encode()
        except UnicodeEncodeError as error:
            raise ConnectorCrash("The arguments hold text that is not valid Unicode.") from error
        if len(arguments) > limits.args_bytes:
            raise ResourceExceeded(
                f"The arguments have {len(arguments)} bytes; {limits.args_bytes} are the limit.", limit="args"
            )

        def body(call: GuestCall) -> tuple[bool, str]:
            return loaded.program.call_execute(call, limits, memories=loaded.memories, op=op_bytes, arguments=arguments)

        ok, text = await self._converse(self._call(body, limits, manifest_json, turn, time), http, log)
        if not ok:
            raise ConnectorError(text)
        return str(text)

    def close(self) -> None:
        """End every call, thread and child; calls in flight end with ConnectorCancelled."""
        self._compilation.close()
        self._scheduler.close()
        self._ticker.close()
        self._loaded.clear()

    async def _converse(self, call: GuestCall, http: Http, log: Log) -> Any:
        """Run a call and answer what the guest asks for, in the caller's own task."""
        try:
            self._scheduler.start(call)
            while (request := await call.next_request()) is not None:
                call.hand_over_log(log)
                answer = await self._answer(call, http, request)
                self._scheduler.resume(call, answer)
            call.hand_over_log(log)
            call.report_dropped(log)
        except BaseException:
            self._scheduler.abandon(call)
            raise
        if call.failure is not None:
            raise call.failure
        return call.result

    async def _answer(self, call: GuestCall, http: Http, request: str) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(call.time.remaining()) as scope:
                call.scope = scope
                return await http(request)
        except TimeoutError:
            if scope.expired():
                raise call.stopped or call.timeout() from None
            raise
        finally:
            call.scope = None

    def _call(
        self,
        body: Callable[[GuestCall], Any],
        limits: CallLimits,
        manifest: str,
        turn: Turn | None = None,
        time: CallTime | None = None,
    ) -> GuestCall:
        return GuestCall(
            body=body,
            services=self._services,
            limits=limits,
            manifest=manifest,
            loop=asyncio.get_running_loop(),
            turn=turn,
            time=time,
        )

    async def _in_worker(self, work: Callable[[], Any]) -> Any:
        return await self._converse(self._call(lambda _call: work(), _LOAD_LIMITS, "{}"), _no_network, _no_log)

    async def _load(self, key: str, wasm: bytes) -> LoadedConnector:
        try:
            if not self._cache_open:
                await self._in_worker(self._cache.open)
                self._cache_open = True
            component = await self._from_cache(key)
            if component is None:
                await self._compile(key, wasm)
                component = await self._from_cache(key)
        except CacheUnsafe as unsafe:
            raise ConnectorRejected(f"The connector was not compiled: {unsafe}") from unsafe
        except OSError as error:
            raise ConnectorRejected(f"The compiled connector could not be kept: {error.strerror}.") from error
        if component is None:
            raise ConnectorRejected("The compiled connector could not be read back; look at the cache folder's disk.")
        check_component(component, self._engine)
        program = Program(engine=self._engine, linker=self._linker, component=component)
        return LoadedConnector(
            component_hash=f"sha256:{key}", program=program, memories=await self._count_memories(program)
        )

    async def _from_cache(self, key: str) -> Component | None:
        def read() -> Component | None:
            path = self._cache.find(key)
            if path is None:
                return None
            try:
                return Component.deserialize_file(self._engine, str(path))
            except wasmtime.WasmtimeError:
                self._cache.discard(path)
                return None

        found: Component | None = await self._in_worker(read)
        return found

    async def _compile(self, key: str, wasm: bytes) -> None:
        source, target = self._cache.drafts(key)
        try:
            await self._in_worker(lambda: self._cache.write_source(source, wasm))
            await self._compilation.compile_file(source, target)
            await self._in_worker(lambda: self._cache.adopt(key, target))
        finally:
            self._cache.discard(source, target)

    async def _count_memories(self, program: Program) -> int:
        """Instantiate with room for one memory, then two, ...: the memory limit is divided by what it takes."""

        def count(call: GuestCall) -> int:
            for memories in range(1, MAX_MEMORIES + 1):
                try:
                    program.instantiate(call, _LOAD_LIMITS_PER_MEMORY[memories], memories=memories)
                    return memories
                except GuestTrap as trap:
                    if memories == MAX_MEMORIES or not too_many_memories(str(trap)):
                        raise
            raise AssertionError("the loop returns or raises")

        try:
            return int(await self._converse(self._call(count, DESCRIBE_LIMITS, "{}"), _no_network, _no_log))
        except (ConnectorCrash, ResourceExceeded, ConnectorTimeout) as fault:
            raise ConnectorRejected(f"The connector cannot be started. {fault}") from fault


_LOAD_LIMITS_PER_MEMORY = {
    count: replace(DESCRIBE_LIMITS, memory_bytes=2**30 * count) for count in range(1, MAX_MEMORIES + 1)
}


def _read_program(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_WASM_BYTES + 1)
    except OSError as error:
        raise ConnectorRejected(f"{path} cannot be read: {error.strerror}.") from error


async def _no_network(_request: str) -> tuple[bool, str]:
    return False, '{"code":"denied","message":"A connector reaches nothing while it is installed."}'


def _no_log(_level: int, _message: str) -> None:
    return None
