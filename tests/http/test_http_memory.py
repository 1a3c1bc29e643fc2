"""The memory for answers: small bodies that unpack to large ones do not add up, and what was used is given back."""

import asyncio
import contextlib
import gzip
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.connectors.http.answer_memory import SMALL_BYTES, AnswerMemory, HeldMemory
from tests.services.outbound import Call, Outside, manifest_for
from tests.services.raw_provider import RawProvider

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
CALLS = 64


def test_sixty_four_small_bodies_that_unpack_to_ten_mebibytes_take_bounded_memory() -> None:
    # A process of its own: what this one has used at its peak says nothing.
    command = [sys.executable, "-m", "tests.http.many_large_answers"]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    measured = json.loads(child.stdout)
    assert measured["answered"] == CALLS
    assert measured["held"] == 0
    assert measured["peak_mib"] - measured["before_mib"] < 450, measured
    assert measured["after_mib"] - measured["before_mib"] < 100, measured


async def test_a_large_answer_waits_for_memory_and_a_small_one_does_not() -> None:
    memory = AnswerMemory(total_bytes=40 * MIB)
    held = [HeldMemory(memory, owner) for owner in ("a", "a", "b", "b")]
    for one in held:
        await one.hold(10 * MIB)
    late, small = HeldMemory(memory, "c"), HeldMemory(memory, "c")
    waiting = asyncio.ensure_future(late.hold(10 * MIB))
    await small.hold(SMALL_BYTES)
    await asyncio.sleep(0)
    assert not waiting.done()
    held[0].shrink_to(MIB)
    held[1].release()
    await waiting
    assert memory.held == 31 * MIB
    for one in (*held, late):
        one.release()
    assert memory.held == 0


async def test_one_session_never_has_more_than_half_of_the_memory() -> None:
    memory = AnswerMemory(total_bytes=40 * MIB)
    greedy = [asyncio.ensure_future(HeldMemory(memory, "greedy").hold(10 * MIB)) for _ in range(20)]
    await asyncio.sleep(0)
    assert sum(future.done() for future in greedy) == 2
    async with asyncio.timeout(5):
        await HeldMemory(memory, "other").hold(10 * MIB)  # at once, although others have waited longer
    for future in greedy:
        future.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
    assert memory.held == 30 * MIB


@pytest.mark.parametrize("granted", [False, True])
async def test_whoever_stops_waiting_takes_no_memory_with_them(*, granted: bool) -> None:
    memory = AnswerMemory(total_bytes=20 * MIB)
    first = HeldMemory(memory, "a")
    await first.hold(10 * MIB)
    waiting = asyncio.ensure_future(HeldMemory(memory, "a").hold(10 * MIB))
    await asyncio.sleep(0)
    if granted:
        first.release()  # the grant and the end arrive together
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    first.release()
    assert memory.held == 0


@pytest.mark.parametrize("how", ["answered", "cut short", "too large", "not what it says"])
async def test_a_call_gives_its_memory_back_however_its_request_ends(outside: Outside, how: str) -> None:
    body = gzip.compress(b"x" * (3 * MIB if how == "too large" else MIB))
    sent = {"cut short": body[:-4], "not what it says": body[:500] + b"!!!!"}.get(how, body)

    def reply(connection: socket.socket, _: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(sent) + sent)

    with RawProvider(reply) as up:
        place = up.url.removeprefix("http://")
        http = await outside.client(place, max_response_bytes=2 * MIB)
        call = Call(http, manifest_for(place))
        ok, _ = await call.send("GET", f"{up.url}/x")
    assert ok is (how == "answered")
    if ok:
        assert http.held_bytes == MIB
    call.context.close()
    assert http.held_bytes == 0
