"""What one session can do to another: calls and approved writes of a quiet session, alone and beside a flood.

Run: python -m benchmarks.fairness [--flood 200] [--calls 40] [--approvals 20] [--service-ms 0]

A hostile session keeps 200 calls under way: programs that spin until their time is up, that eat memory, that write logs
without end, that answer with 24 MB, and that send request after request. Another session calls a service and has writes
approved. Daemon, service, flood and the quiet session are four processes on whatever processors there are.
Limit: every call and every approved write of the quiet session runs, and the median takes at most twice as long as it
takes alone.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import ROOT, World

ATTACKS = ("spin", "eat-memory", "flood-log", "huge-output", "many-requests")
LIMIT = 2.0


@dataclass(frozen=True)
class Seen:
    """What became of the quiet session's work: seconds for each that ran, and what was said of the others."""

    calls: list[float]
    approvals: list[float]
    failed: Counter[str]


def set_up(world: World) -> None:
    """Install a connector that behaves and one that does not, with an action for each attack."""
    world.set_up("wellbehaved", "hostile")
    world.add_action("read", op="get_json", inputs={"url": "${args.url}"})
    world.add_action("write", approval=True)
    for attack in ATTACKS:
        world.add_action(
            attack,
            connector="hostile",
            op=attack.replace("-", "_"),
            capabilities=("mischief",),
            inputs={"url": "${args.url}"} if attack == "many-requests" else {},
            timeout="10s",
        )


async def flood(agent_url: str, token: str, upstream: str, count: int, attacks: list[str]) -> None:
    """Keep so many hostile calls under way until somebody ends this process."""
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:

        async def attack(name: str) -> None:
            given = {"url": f"{upstream}/flood"} if name == "many-requests" else {}
            while True:
                async with session.post(f"{agent_url}/v1/actions/{name}/run", json={"arguments": given}) as answer:
                    await answer.read()

        print("flooding", flush=True)
        await asyncio.gather(*(attack(attacks[number % len(attacks)]) for number in range(count)))


@contextmanager
def flooding(world: World, token: str, *, count: int, attacks: Sequence[str] = ATTACKS) -> Iterator[None]:
    """Flood from a process of its own while the block runs."""
    flooder = [sys.executable, "-m", "benchmarks.fairness", "--as-flood", world.agent_url, token, world.upstream]
    command = [*flooder, str(count), "--attacks", *attacks]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the flood did not begin"
            yield
        finally:
            process.kill()


async def quiet(world: World, token: str, *, calls: int, approvals: int) -> Seen:
    """Call and have writes approved, one after the other, as an agent with a person beside it does."""
    seen = Seen([], [], Counter())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        agent = {"Authorization": f"Bearer {token}"}
        person = {"Authorization": f"Bearer {world.discovery['token']}"}

        async def asked(method: str, url: str, headers: dict[str, str], body: Any = None) -> Any:
            async with session.request(method, url, headers=headers, json=body) as answer:
                return await answer.json()

        async def run(action: str, given: dict[str, str]) -> Any:
            return await asked("POST", f"{world.agent_url}/v1/actions/{action}/run", agent, {"arguments": given})

        for number in range(max(calls, approvals)):
            if number < calls:
                began = time.perf_counter()
                answer = await run("read", {"url": f"{world.upstream}/quiet"})
                note(answer, time.perf_counter() - began, seen.calls, seen.failed)
            if number < approvals:
                waiting = await run("write", {"url": f"{world.upstream}/quiet", "body": "{}"})
                approval = waiting["approval_id"]
                began = time.perf_counter()
                await asked("POST", f"{world.control_url}/v1/approvals/{approval}/approve", person, {})
                result_url = f"{world.agent_url}/v1/action-approvals/{approval}/result?wait=50"
                answer = await asked("GET", result_url, agent)
                note(answer, time.perf_counter() - began, seen.approvals, seen.failed)
    return seen


def note(answer: dict[str, Any], seconds: float, ran: list[float], failed: Counter[str]) -> None:
    """Keep the time of what ran, or what was said of what did not."""
    if "result" in answer:
        ran.append(seconds)
    else:
        failed[answer.get("error", {}).get("class") or str(answer.get("status"))] += 1


def report(given: argparse.Namespace, alone: Seen, beside: Seen) -> bool:
    """Print the figures; say whether they are within the limit."""
    within = True
    for name, wanted, before, after in (
        ("calls", given.calls, alone.calls, beside.calls),
        ("approved writes", given.approvals, alone.approvals, beside.approvals),
    ):
        ratio = median(after) / median(before) if after else float("inf")
        within = within and len(after) == wanted and ratio <= LIMIT
        print(
            f"{name:16} ran {len(after)} of {wanted}   alone p50 {median(before) * 1e3:6.1f} ms   beside the flood p50 "
            f"{median(after or [0]) * 1e3:6.1f} ms, longest {max(after or [0]) * 1e3:6.1f} ms   ratio {ratio:.2f}"
        )
    if beside.failed:
        print(f"failed: {dict(beside.failed)}")
    print("within the limit" if within else "NOT within the limit")
    return within


def main() -> int:
    """Measure the quiet session alone, then beside the flood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flood", type=int, default=200)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--approvals", type=int, default=20)
    parser.add_argument("--service-ms", type=int, default=0, help="how long the service takes to answer")
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--as-flood", nargs=4, metavar=("URL", "TOKEN", "UPSTREAM", "COUNT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_flood:
        agent_url, token, upstream, count = given.as_flood
        asyncio.run(flood(agent_url, token, upstream, int(count), given.attacks))
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        World(Path(folder), upstream=upstream.url) as world,
    ):
        upstream.behave("/quiet", delay=given.service_ms / 1000, json={"ok": True})
        upstream.behave("/flood", json={"ok": True})
        world.start()
        set_up(world)
        (_, hostile), (_, other) = world.session(), world.session()
        alone = asyncio.run(quiet(world, other, calls=given.calls, approvals=given.approvals))
        with flooding(world, hostile, count=given.flood, attacks=given.attacks):
            time.sleep(2)
            beside = asyncio.run(quiet(world, other, calls=given.calls, approvals=given.approvals))
        return 0 if report(given, alone, beside) else 1


if __name__ == "__main__":
    sys.exit(main())
