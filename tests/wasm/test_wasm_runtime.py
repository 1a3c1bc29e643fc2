"""The runtime: what one call may use, how it ends, and that calls do not touch each other."""

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop
from waiting import eventually

from daemon.connectors.wasm import (
    CallLimits,
    ConnectorBusy,
    ConnectorCancelled,
    ConnectorCrash,
    ConnectorError,
    ConnectorFuelExhausted,
    ConnectorTimeout,
    LoadedConnector,
    ResourceExceeded,
    Turn,
)

URL = '{"url": "https://api.example.test/items"}'


async def test_the_arguments_come_back_from_a_fresh_instance(harness: Any, wellbehaved: LoadedConnector) -> None:
    for text in ('{"a":1}', '{"ü":"\\u0000 𝄞"}', "", "x" * 100_000):
        assert await harness.run(wellbehaved, "echo", text) == text


async def test_an_answer_of_the_host_reaches_the_guest_and_its_result_the_caller(
    harness: Any, wellbehaved: LoadedConnector
) -> None:
    assert json.loads(await harness.run(wellbehaved, "get_json", URL)) == {"status": 200, "body": {"n": 1}}
    assert json.loads(harness.requests[0])["url"] == "https://api.example.test/items"


async def test_the_error_arm_is_raised_with_its_payload(harness: Any, wellbehaved: LoadedConnector) -> None:
    with pytest.raises(ConnectorError) as raised:
        await harness.run(wellbehaved, "get_json", "{}")
    assert json.loads(raised.value.payload)["class"] == "invalid_arguments"


async def test_a_spinning_guest_is_stopped_at_its_deadline(harness: Any, hostile: LoadedConnector) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectorTimeout) as raised:
        await harness.run(hostile, "spin", seconds=0.3, fuel=10**15)
    assert 0.25 < time.monotonic() - started < 10
    assert raised.value.limit == "time"
    assert "0.3 s" in str(raised.value)


async def test_a_guest_that_spins_after_a_second_of_silence_is_still_stopped(
    harness: Any, hostile: LoadedConnector
) -> None:
    await asyncio.sleep(1.3)
    with pytest.raises(ConnectorTimeout):
        await harness.run(hostile, "spin", seconds=1.6, fuel=10**15)


async def test_the_ticker_sleeps_when_no_guest_runs(harness: Any, wellbehaved: LoadedConnector) -> None:
    await harness.run(wellbehaved, "echo")
    await eventually(lambda: harness.runtime._ticker._resting)


async def test_a_spinning_guest_does_not_hold_up_the_event_loop(harness: Any, hostile: LoadedConnector) -> None:
    task = asyncio.ensure_future(harness.run(hostile, "spin", seconds=0.5, fuel=10**15))
    await eventually(lambda: harness.runtime._scheduler.computing == 1)
    turns = 0
    while harness.runtime._scheduler.computing:
        await asyncio.sleep(0.005)
        turns += 1
    with pytest.raises(ConnectorTimeout):
        await task
    assert turns > 5  # a guest that held the loop up would leave it two: one before it and one after


async def test_a_blocked_event_loop_does_not_keep_a_guest_alive(harness: Any, hostile: LoadedConnector) -> None:
    task = asyncio.ensure_future(harness.run(hostile, "spin", seconds=0.2, fuel=10**15))
    await eventually(lambda: harness.runtime._scheduler.computing == 1)
    [call] = harness.runtime._scheduler._live
    blocked = time.monotonic()
    while call.failure is None and time.monotonic() - blocked < 20:
        time.sleep(0.05)  # noqa: ASYNC251 -- the point of the test
    assert isinstance(call.failure, ConnectorTimeout)
    with pytest.raises(ConnectorTimeout):
        await task


async def test_fuel_ends_a_call(harness: Any, hostile: LoadedConnector) -> None:
    with pytest.raises(ConnectorFuelExhausted) as raised:
        await harness.run(hostile, "spin", fuel=10**7)
    assert raised.value.limit == "fuel"


async def test_a_guest_that_eats_memory_crashes_with_the_limit_named(harness: Any, hostile: LoadedConnector) -> None:
    with pytest.raises(ConnectorCrash, match="memory limit of 16 MiB"):
        await harness.run(hostile, "eat_memory", memory_bytes=16 * 2**20)


async def test_a_guest_that_needs_more_memory_to_start_than_it_may_is_told_so(
    harness: Any, hostile: LoadedConnector
) -> None:
    with pytest.raises(ResourceExceeded, match=r"limit of 0\.0625 MiB") as raised:
        await harness.run(hostile, "random", memory_bytes=65536)
    assert raised.value.limit == "memory"


async def test_crashes_are_told_in_our_words(harness: Any, hostile: LoadedConnector) -> None:
    for op, words in (
        ("trap", "gave up"),
        ("stack_overflow", "call stack"),
        ("non_utf8", "UTF-8"),
        ("outside_memory", "outside its memory"),
    ):
        with pytest.raises(ConnectorCrash, match=words):
            await harness.run(hostile, op)


async def test_a_name_the_guest_chose_never_reaches_a_message(harness: Any, wat: Any) -> None:
    core = wat(
        """(module (memory (export "memory") 1)
          (func $SECRET-NAME unreachable)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)
          (data (i32.const 8) "\\10\\00\\00\\00\\16\\00\\00\\00{\\"abi\\":1,\\"ops\\":[\\"op\\"]}")
          (func (export "describe") (result i32) i32.const 8)
          (func $SECRET-TOO (export "execute") (param i32 i32 i32 i32) (result i32) (call $SECRET-NAME) i32.const 0))"""
    )
    loaded = await harness.runtime.load(core)
    with pytest.raises(ConnectorCrash) as raised:
        await harness.run(loaded, "op")
    assert "SECRET" not in str(raised.value)


async def test_a_result_above_its_limit_is_a_resource_failure(harness: Any, hostile: LoadedConnector) -> None:
    with pytest.raises(ResourceExceeded) as raised:
        await harness.run(hostile, "huge_output")
    assert raised.value.limit == "result"
    assert len(await harness.run(hostile, "huge_output", '{"megabytes": 2}')) == 2 * 2**20 + 2


async def test_arguments_above_their_limit_are_a_resource_failure(harness: Any, wellbehaved: LoadedConnector) -> None:
    assert len(await harness.run(wellbehaved, "echo", "x" * 100, args_bytes=100)) == 100
    with pytest.raises(ResourceExceeded) as raised:
        await harness.run(wellbehaved, "echo", "x" * 101, args_bytes=100)
    assert raised.value.limit == "args"


async def test_what_a_guest_returns_is_not_looked_at_here(harness: Any, hostile: LoadedConnector) -> None:
    assert await harness.run(hostile, "garbage") == '{"this is": not JSON'
    assert len(await harness.run(hostile, "deep_json")) == 200_000


async def test_a_flood_of_log_lines_is_cut_and_counted(harness: Any, hostile: LoadedConnector) -> None:
    await harness.run(hostile, "flood_log", '{"count": 20000}')
    assert len(harness.log) == 101
    assert "19900 more log lines were dropped" in harness.log[-1][1]


async def test_a_million_log_lines_end_within_the_time_of_the_call(harness: Any, hostile: LoadedConnector) -> None:
    with pytest.raises(ConnectorTimeout):
        await harness.run(hostile, "flood_log", seconds=0.3)


async def test_log_lines_are_limited_by_size_too(harness: Any, hostile: LoadedConnector) -> None:
    text = json.dumps({"text": "x" * 70_000})
    await harness.run(hostile, "log_text", text)
    assert [level for level, _ in harness.log] == [3]
    assert "1 more log lines were dropped" in harness.log[0][1]
    harness.log.clear()
    await harness.run(hostile, "log_text", '{"text": "hällo"}')
    assert harness.log == [(3, "hällo")]


async def test_the_log_is_called_on_the_event_loop_and_may_raise(harness: Any, hostile: LoadedConnector) -> None:
    seen: list[threading.Thread] = []

    def log(_level: int, _message: str) -> None:
        seen.append(threading.current_thread())
        raise KeyError("a bug in the host")

    with pytest.raises(KeyError):
        await harness.runtime.execute(
            hostile,
            "log_text",
            '{"text": "x"}',
            http=harness.http,
            log=log,
            manifest_json="{}",
            limits=CallLimits(seconds=5),
        )
    assert seen == [threading.current_thread()]


async def test_randomness_and_time_come_from_the_host(harness: Any, hostile: LoadedConnector) -> None:
    one = json.loads(await harness.run(hostile, "random", '{"bytes": 64}'))
    two = json.loads(await harness.run(hostile, "random", '{"bytes": 64}'))
    assert len(bytes.fromhex(one["random"])) == 64
    assert one["random"] != two["random"]
    assert abs(one["seconds"] - time.time_ns() / 1e9) < 5


async def test_more_than_64_random_bytes_at_once_end_the_call(harness: Any, hostile: LoadedConnector) -> None:
    with pytest.raises(ConnectorCrash, match="65 random bytes"):
        await harness.run(hostile, "random", '{"bytes": 65}')


async def test_the_guest_reads_its_own_manifest(harness: Any, hostile: LoadedConnector) -> None:
    answer = json.loads(await harness.run(hostile, "read_credential", manifest='{"name":"ü"}'))
    assert answer["manifest"] == '{"name":"ü"}'


async def test_a_request_that_is_too_large_to_read_is_refused(harness: Any, hostile: LoadedConnector) -> None:
    args = json.dumps({"request": "x" * (16 * 2**20 + 1)})
    answer = json.loads(
        await harness.run(hostile, "bad_request", args, args_bytes=2**25, memory_bytes=2**28, result_bytes=2**20)
    )
    assert json.loads(answer["refused"])["code"] == "too_large"
    assert harness.requests == []


@pytest.mark.parametrize("failure", [KeyError("a bug"), TimeoutError("upstream"), asyncio.CancelledError()])
async def test_an_exception_of_the_http_function_comes_out_unchanged(
    harness: Any, wellbehaved: LoadedConnector, failure: BaseException
) -> None:
    async def http(_request: str) -> tuple[bool, str]:
        raise failure

    with pytest.raises(type(failure)) as raised:
        await harness.run(wellbehaved, "get_json", URL, http=http)
    assert raised.value is failure
    assert await harness.run(wellbehaved, "echo", "still fine") == "still fine"


async def test_a_hanging_upstream_ends_at_the_deadline_of_the_call(harness: Any, wellbehaved: LoadedConnector) -> None:
    cancelled = asyncio.Event()

    async def http(_request: str) -> tuple[bool, str]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    with pytest.raises(ConnectorTimeout):
        await harness.run(wellbehaved, "get_json", URL, http=http, seconds=0.2)
    assert cancelled.is_set()


async def test_cancelling_a_call_frees_its_thread(harness: Any, hostile: LoadedConnector) -> None:
    task = asyncio.ensure_future(harness.run(hostile, "spin", seconds=60, fuel=10**15))
    await eventually(lambda: harness.runtime._scheduler.computing == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: harness.runtime._scheduler.computing == 0 and not harness.runtime._scheduler.live)


async def test_cancelling_a_call_that_waits_for_its_upstream_frees_its_thread(
    harness: Any, wellbehaved: LoadedConnector
) -> None:
    asked = asyncio.Event()

    async def http(_request: str) -> tuple[bool, str]:
        asked.set()
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.ensure_future(harness.run(wellbehaved, "get_json", URL, http=http))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not harness.runtime._scheduler.live)


async def test_a_call_that_waits_for_its_turn_can_be_cancelled_and_gives_up(harness: Any, hostile_wasm: bytes) -> None:
    harness.runtime.close()
    harness.runtime = harness.make(active=1)
    hostile = await harness.runtime.load(hostile_wasm)
    spinner = asyncio.ensure_future(harness.run(hostile, "spin", seconds=1, fuel=10**15))
    await eventually(lambda: harness.runtime._scheduler.computing == 1)
    cancelled = asyncio.ensure_future(harness.run(hostile, "random"))
    late = asyncio.ensure_future(harness.run(hostile, "random", turn=Turn(wait_seconds=0.2)))
    patient = asyncio.ensure_future(harness.run(hostile, "random"))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    with pytest.raises(ConnectorBusy):
        await late
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    with pytest.raises(ConnectorTimeout):
        await spinner
    assert "random" in await patient


async def test_no_more_guests_compute_at_once_than_allowed(harness: Any, hostile_wasm: bytes) -> None:
    harness.runtime.close()
    harness.runtime = harness.make(active=3)
    hostile = await harness.runtime.load(hostile_wasm)
    calls = [
        asyncio.ensure_future(harness.run(hostile, "spin", turn=Turn(session=name), seconds=0.3, fuel=10**15))
        for name in "abcdef"
    ]
    most = 0
    while not all(call.done() for call in calls):
        most = max(most, harness.runtime._scheduler.computing)
        await asyncio.sleep(0.01)
    assert most == 3
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, ConnectorTimeout) for outcome in done)


async def _two_hundred_calls(harness: Any, wasm: bytes) -> float:
    loaded = await harness.runtime.load(wasm)

    async def http(_request: str) -> tuple[bool, str]:
        await asyncio.sleep(1)
        return True, '{"status":200,"headers":[],"body":"1"}'

    started = time.monotonic()
    done = await asyncio.gather(*(harness.run(loaded, "get_json", URL, http=http) for _ in range(200)))
    assert done == ['{"status":200,"body":1}'] * 200
    return time.monotonic() - started


async def test_g6_two_hundred_calls_with_a_slow_upstream_overlap(harness: Any, wellbehaved_wasm: bytes) -> None:
    assert await _two_hundred_calls(harness, wellbehaved_wasm) < 10


def test_g6_two_hundred_calls_overlap_on_uvloop_too(harness: Any, wellbehaved_wasm: bytes) -> None:
    assert uvloop.run(_two_hundred_calls(harness, wellbehaved_wasm)) < 10


async def test_more_calls_than_threads_wait_and_succeed(harness: Any, wellbehaved_wasm: bytes) -> None:
    harness.runtime.close()
    harness.runtime = harness.make(threads=4)
    loaded = await harness.runtime.load(wellbehaved_wasm)

    async def http(_request: str) -> tuple[bool, str]:
        await asyncio.sleep(0.02)
        return True, '{"status":200,"headers":[],"body":"1"}'

    done = await asyncio.gather(*(harness.run(loaded, "get_json", URL, http=http) for _ in range(30)))
    assert len(done) == 30
    assert sum(thread.name.startswith("wasm-") for thread in threading.enumerate()) <= 5


async def test_concurrent_calls_keep_their_own_results_and_exceptions(
    harness: Any, wellbehaved: LoadedConnector
) -> None:
    class Mine(Exception):
        pass

    async def one(number: int) -> bool:
        async def http(_request: str) -> tuple[bool, str]:
            if number % 3 == 0:
                await asyncio.sleep(0)
            if number % 2:
                raise Mine(number)
            return True, json.dumps({"status": 200, "headers": [], "body": str(number)})

        try:
            return json.loads(await harness.run(wellbehaved, "get_json", URL, http=http))["body"] == number
        except Mine as mine:
            return mine.args == (number,)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        outcomes = await asyncio.gather(*(one(number) for number in range(4000)))
    finally:
        sys.setswitchinterval(before)
    assert outcomes.count(False) == 0


async def test_close_ends_running_waiting_and_queued_calls_and_leaves_no_thread(
    harness: Any, hostile_wasm: bytes
) -> None:
    harness.runtime.close()
    before = set(threading.enumerate())
    harness.runtime = harness.make(active=2)
    hostile = await harness.runtime.load(hostile_wasm)
    asked = asyncio.Event()

    async def http(_request: str) -> tuple[bool, str]:
        asked.set()
        await asyncio.sleep(60)
        raise AssertionError

    waiting = asyncio.ensure_future(harness.run(hostile, "other_host", URL, http=http))
    await asked.wait()
    others = [asyncio.ensure_future(harness.run(hostile, "spin", seconds=60, fuel=10**15)) for _ in range(4)]
    await eventually(lambda: harness.runtime._scheduler.computing > 0)
    harness.runtime.close()
    assert set(threading.enumerate()) == before
    for task in others:
        with pytest.raises(ConnectorCancelled):
            await task
    with pytest.raises(ConnectorCancelled):
        await waiting
    with pytest.raises(ConnectorCancelled):
        await harness.run(hostile, "random")


@pytest.mark.parametrize("seconds", [0, 0.001, 0.01, 0.1])
def test_a_loop_that_goes_away_does_not_take_the_runtime_with_it(
    harness: Any, hostile_wasm: bytes, seconds: float
) -> None:
    async def leave() -> None:
        loaded = await harness.runtime.load(hostile_wasm)
        abandoned.append(asyncio.ensure_future(harness.run(loaded, "spin", seconds=60, fuel=10**15)))
        await asyncio.sleep(seconds)  # or its guest ends after the loop was told to stop and before it is closed

    async def come_back() -> str:
        return await harness.run(await harness.runtime.load(hostile_wasm), "random")

    abandoned: list[asyncio.Future[str]] = []
    asyncio.run(leave())
    assert "random" in asyncio.run(come_back())


async def test_the_memory_limit_is_for_all_memories_together(harness: Any, wat: Any) -> None:
    """Two modules of a component with a memory each: together they may not exceed what one may."""
    grower = """(core module $M{n}
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (data (i32.const 8) "\\10\\00\\00\\00\\16\\00\\00\\00{{\\"abi\\":1,\\"ops\\":[\\"op\\"]}}")
        (func (export "describe") (result i32) i32.const 8)
        {execute})"""
    second = grower.format(n=2, execute="")
    first = grower.format(
        n=1,
        execute="""(import "other" "grow" (func $other (param i32) (result i32)))
        (func (export "execute") (param i32 i32 i32 i32) (result i32)
          (i32.store (i32.const 64) (i32.const 0))
          (i32.store (i32.const 68) (i32.const 80)) (i32.store (i32.const 72) (i32.const 2))
          (i32.store8 (i32.const 80) (i32.add (i32.const 48) (i32.lt_s (memory.grow (i32.const 600)) (i32.const 0))))
          (i32.store8 (i32.const 81) (i32.add (i32.const 48) (i32.lt_s (call $other (i32.const 600)) (i32.const 0))))
          i32.const 64)""",
    )
    # The text format wants imports first.
    first = first.replace('(import "other" "grow" (func $other (param i32) (result i32)))', "").replace(
        '(memory (export "memory") 1)',
        '(import "other" "grow" (func $other (param i32) (result i32))) (memory (export "memory") 1)',
    )
    component = wat(
        f"""(component {second} {first}
        (core instance $two (instantiate $M2))
        (core instance $one (instantiate $M1 (with "other" (instance $two))))
        (alias core export $one "memory" (core memory $memory))
        (alias core export $one "cabi_realloc" (core func $realloc))
        (type $outcome (result string (error string)))
        (func (export "describe") (result string)
          (canon lift (core func $one "describe") (memory $memory) (realloc $realloc)))
        (func (export "execute") (param "op" string) (param "args" string) (result $outcome)
          (canon lift (core func $one "execute") (memory $memory) (realloc $realloc))))"""
    )
    loaded = await harness.runtime.load(component)
    assert loaded.memories == 2
    assert await harness.run(loaded, "op", memory_bytes=64 * 2**20) == "11"  # 37 MiB each: 75 of 64
    assert await harness.run(loaded, "op", memory_bytes=80 * 2**20) == "00"


async def test_the_same_program_is_loaded_once_however_many_ask(harness: Any, wellbehaved_wasm: bytes) -> None:
    loaded = await asyncio.gather(*(harness.runtime.load(wellbehaved_wasm) for _ in range(5)))
    assert len({id(one) for one in loaded}) == 1
    assert loaded[0].component_hash.startswith("sha256:")


async def test_a_program_is_loaded_from_its_file(harness: Any, wellbehaved_wasm: bytes, tmp_path: Path) -> None:
    path = tmp_path / "connector.wasm"
    path.write_bytes(wellbehaved_wasm)
    assert await harness.runtime.load(path) is await harness.runtime.load(wellbehaved_wasm)
