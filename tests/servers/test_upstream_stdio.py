"""Servers over standard input and output that do what no server should: each is a real process."""

import asyncio
import os
import resource
import signal
import time
from pathlib import Path

import pytest
from servers.started import SOON, Answering, connected, hostile, piped, ran
from waiting import eventually

from daemon.tools.servers.upstream.connecting import connect
from daemon.tools.servers.upstream.limits import Limits
from daemon.tools.servers.upstream.negotiating import ProbeEndedServer
from daemon.tools.servers.upstream.seam import Asking, Era, Trouble, UpstreamError
from daemon.tools.servers.upstream.stdio import StdioTransport

ERAS = pytest.mark.parametrize("era", ["handshake", "modern"])
QUICK = Asking(seconds=0.3)
BUSY = Limits(unasked_each_second=10_000_000)


@ERAS
async def test_junk_batches_answers_given_twice_and_wrong_ids_harm_no_call(era: str) -> None:
    for behaviour in ("junk", "twice", "wrong_id", "batches", "surrogates", "floods_stderr"):
        async with connected(hostile(behaviour, era=era)) as server:
            for number in range(3):
                found = await server.connection.call_tool("echo", {"text": f"{number}"}, SOON)
                if behaviour != "surrogates":
                    assert found["content"][0]["text"] == str(number)
            if behaviour not in {"batches", "surrogates", "floods_stderr"}:
                await eventually(lambda server=server: bool(server.connection.oddities))  # type: ignore[misc]


@ERAS
async def test_answers_in_any_order_find_their_calls(era: str) -> None:
    async with connected(hostile("reversed=16", era=era)) as server:
        texts = [f"text {number}" for number in range(16)]
        assert await asyncio.gather(*(server.echo(text) for text in texts)) == texts


async def test_an_answer_with_only_wrong_ids_is_none_and_the_call_may_have_run() -> None:
    async with connected(hostile("only_wrong_id")) as server:
        with pytest.raises(UpstreamError) as raised:
            await server.echo(asking=QUICK)
        assert raised.value.trouble is Trouble.TIMED_OUT
        assert raised.value.may_have_run


@ERAS
async def test_an_answer_that_cannot_be_read_fails_its_call_at_once_and_no_other(era: str) -> None:
    for behaviour in ("broken_json", "no_object"):
        async with connected(hostile(behaviour, era=era)) as server:
            with pytest.raises(UpstreamError) as raised:
                await server.echo()
            assert raised.value.trouble is Trouble.MALFORMED
            assert raised.value.may_have_run
            assert await server.connection.tools(SOON)


async def test_a_line_of_a_gibibyte_takes_no_memory_and_the_answer_behind_it_comes() -> None:
    # In the older era nothing is asked beside the call, so no other answer stands in the middle of the line.
    async with connected(hostile(f"endless_line={1 << 30}", era="handshake"), limits=BUSY) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert await server.echo() == "hi"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
        assert server.connection.oddities["it wrote a line that is too long"] == 1


async def test_an_answer_that_is_too_long_fails_its_call_at_once() -> None:
    async with connected(hostile(f"long={1 << 20}"), limits=Limits(message_bytes=1 << 19)) as server:
        with pytest.raises(UpstreamError) as raised:
            await server.echo()
        assert raised.value.trouble is Trouble.MALFORMED


FLOODS = {"floods": 5000, "floods_junk": 20_000, "floods_pings": 5000, "floods_batches": 5000, "floods_blank": 400_000}


@pytest.mark.parametrize(("flood", "most"), FLOODS.items())
async def test_a_flood_slows_down_its_own_server_and_not_the_daemon(flood: str, most: int) -> None:
    async with connected(hostile(flood), limits=Limits(unasked_each_second=most)) as server:
        cpu, wall = time.process_time(), time.monotonic()
        assert await server.echo() == "hi"
        for _ in range(50):  # the loop of events goes on for everybody else
            await asyncio.sleep(0.01)
        spent = (time.process_time() - cpu) / (time.monotonic() - wall)
        assert spent < 0.5, f"{spent:.0%} of a processor"


@ERAS
async def test_a_call_that_is_given_up_is_called_off_and_its_late_answer_is_ignored(era: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with connected(hostile("after_cancel", era=era, ledger=ledger)) as server:
        with pytest.raises(UpstreamError) as raised:
            await server.echo(asking=QUICK)
        assert raised.value.trouble is Trouble.TIMED_OUT
        waiting = asyncio.ensure_future(server.echo())
        await eventually(lambda: len(ran(ledger)) == 3)  # two calls, one called off
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await eventually(lambda: sum("cancelled" in line for line in ran(ledger)) == 2)
        assert await server.connection.tools(SOON)
        assert not server.connection.oddities


@ERAS
async def test_a_server_that_dies_in_a_call_leaves_it_lost_and_nothing_else_leaves(era: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with connected(hostile("dies_in_call", era=era, ledger=ledger)) as server:
        with pytest.raises(UpstreamError) as raised:
            await server.echo()
        assert raised.value.trouble is Trouble.LOST
        assert raised.value.may_have_run
        assert not server.connection.is_open
        with pytest.raises(UpstreamError) as after:
            await server.echo()
        assert after.value.trouble is Trouble.NOT_REACHED
        assert not after.value.may_have_run
    assert len(ran(ledger)) == 1


async def test_a_server_that_dies_on_every_second_call_answers_every_first(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with connected(hostile("dies_every_second_call", ledger=ledger)) as server:
        assert await server.echo() == "hi"
        with pytest.raises(UpstreamError) as raised:
            await server.echo()
        assert raised.value.trouble is Trouble.LOST
    assert len(ran(ledger)) == 2


async def test_a_call_to_a_server_that_does_not_read_waits_outside_and_certainly_did_not_run() -> None:
    large = "x" * (1 << 20)
    async with connected(hostile("stops_reading", "never")) as server:
        calls = [asyncio.ensure_future(server.echo(large, Asking(seconds=2))) for _ in range(20)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        troubles = [problem.trouble for problem in done if isinstance(problem, UpstreamError)]
        assert len(troubles) == 20
        assert set(troubles) == {Trouble.TIMED_OUT, Trouble.NOT_REACHED}
        # What waits does not pile up in memory: only a few of the twenty left.
        assert troubles.count(Trouble.TIMED_OUT) < 5


async def test_a_request_that_is_no_json_does_not_leave(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with connected(hostile(ledger=ledger)) as server:
        for value in (float("nan"), object()):
            with pytest.raises(UpstreamError) as raised:
                await server.connection.call_tool("echo", {"text": value}, SOON)
            assert raised.value.trouble is Trouble.NOT_REACHED
    assert ran(ledger) == []


async def test_a_server_that_ends_at_once_was_not_started() -> None:
    with pytest.raises(UpstreamError) as raised:
        async with connected(hostile("dies_at_start")):
            pass
    assert raised.value.trouble is Trouble.NOT_STARTED


async def test_a_server_that_ends_when_it_is_asked_for_its_era_can_be_greeted_in_the_older_way() -> None:
    command = hostile("dies_on_unknown", era="handshake")
    with pytest.raises(ProbeEndedServer):
        async with connected(command):
            pass
    async with connected(command, era=Era.HANDSHAKE) as server:
        assert await server.echo() == "hi"


async def test_a_server_that_is_deaf_to_what_it_does_not_know_is_greeted_in_the_older_way() -> None:
    limits = Limits(probe_seconds=0.2)
    async with connected(hostile("deaf_to_unknown", era="handshake"), limits=limits) as server:
        assert server.connection.hello.era is Era.HANDSHAKE
        assert await server.echo() == "hi"


@pytest.mark.parametrize(
    ("era", "spoken"), [("modern", Era.MODERN), ("both", Era.MODERN), ("handshake", Era.HANDSHAKE)]
)
async def test_a_slow_start_does_not_change_the_era(era: str, spoken: Era) -> None:
    async with connected(hostile("slow_start=0.5", era=era), limits=Limits(probe_seconds=0.05)) as server:
        assert server.connection.hello.era is spoken
        assert await server.echo() == "hi"


async def test_a_server_that_never_says_who_it_is_has_a_limit() -> None:
    with pytest.raises(UpstreamError, match=r"did not say who it is in 0\.3 s.*start_seconds") as raised:
        async with connected(hostile("slow_start=60"), limits=Limits(start_seconds=0.3)):
            pass
    assert raised.value.trouble is Trouble.NOT_STARTED


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_a_version_that_nobody_speaks_here_is_refused_with_those_that_are(era: str) -> None:
    with pytest.raises(UpstreamError, match="2026-07-28, 2025-11-25") as raised:
        async with connected(hostile("version=2031-01-01", era=era)):
            pass
    assert raised.value.trouble is Trouble.NOT_STARTED


@ERAS
async def test_five_thousand_tools_come_over_all_pages_and_lists_without_end_are_ended(era: str) -> None:
    async with connected(hostile("tools=5000", era=era)) as server:
        tools = await server.connection.tools(SOON)
        assert [tool["name"] for tool in tools] == [f"tool_{number}" for number in range(5000)]
    for behaviour in ("same_page", "pages_without_end", "bare_lists"):
        async with connected(hostile(behaviour, era=era)) as server:
            with pytest.raises(UpstreamError) as raised:
                await server.connection.tools(SOON)
            assert raised.value.trouble is Trouble.MALFORMED
    async with connected(hostile("tools=300", era=era), limits=Limits(definitions=200)) as server:
        with pytest.raises(UpstreamError, match="more than 200"):
            await server.connection.tools(SOON)


async def test_names_and_descriptions_come_through_as_they_are() -> None:
    """Judging them is for who shows them and pins them."""
    from servers.hostile_server import ODD_DESCRIPTIONS, ODD_NAMES

    async with connected(hostile("odd_names")) as server:
        assert [tool["name"] for tool in await server.connection.tools(SOON)] == ODD_NAMES
    async with connected(hostile("odd_descriptions")) as server:
        assert [tool["description"] for tool in await server.connection.tools(SOON)] == ODD_DESCRIPTIONS


@ERAS
async def test_questions_without_end_are_ended_and_the_server_lives_on(era: str) -> None:
    person = Answering()
    async with connected(hostile("asks_without_end", era=era), limits=Limits(questions=4)) as server:
        asking = Asking(seconds=20, answers=person)
        if era == "handshake":  # the server hears a refusal, and goes on with that
            assert (await server.connection.call_tool("echo", {}, asking))["content"]
        else:
            with pytest.raises(UpstreamError, match="asks back without end") as raised:
                await server.connection.call_tool("echo", {}, asking)
            assert raised.value.may_have_run
        assert len(person.asked) == 4


async def test_people_are_asked_only_while_a_call_is_under_way() -> None:
    person = Answering()
    async with connected(hostile("asks_unasked", era="handshake"), answers=person) as server:
        assert await server.connection.tools(SOON)
        await server.echo()  # a call of somebody whom nobody can ask
        assert person.asked == []
        asking = Asking(seconds=20, answers=person)
        call = asyncio.ensure_future(server.connection.call_tool("slow", {}, asking))
        await eventually(lambda: server.connection.oddities["it asked back too often"] > 0)
        assert len(person.asked) == 10
        call.cancel()


async def test_a_connection_that_is_closed_ends_the_calls_under_way() -> None:
    async with piped(hostile("never")) as there:
        transport = StdioTransport(there.pipes)

        class Nothing:
            def notice(self, method: str, params: object) -> None:
                pass

        connection = await connect(transport, name="x", notices=Nothing(), limits=Limits())
        call = asyncio.ensure_future(connection.call_tool("echo", {}, SOON))
        await asyncio.sleep(0.05)
        await connection.close()
        with pytest.raises(UpstreamError) as raised:
            await call
        assert raised.value.trouble is Trouble.LOST
        await there.process.wait()


async def test_children_that_a_server_leaves_do_not_keep_the_connection_open(tmp_path: Path) -> None:
    """They have its standard error only: ending them is for whoever holds the process."""
    file = tmp_path / "children"

    def children() -> list[int]:
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    async with connected(hostile(f"leaves_children={file}", "dies_in_call")) as server:
        await eventually(lambda: len(children()) == 2)
        try:
            with pytest.raises(UpstreamError) as raised:
                await server.echo()
            assert raised.value.trouble is Trouble.LOST
            assert {os.getsid(child) for child in children()}.isdisjoint({os.getsid(0), server.process.pid})
        finally:
            for child in children():
                os.kill(child, signal.SIGKILL)
