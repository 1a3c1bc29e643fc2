"""What connected agents cost a daemon in which nothing happens: its processor time, with and without them.

The agents are real clients of `aileron_mcp`: they follow the event stream and keep their list of tools true.

Run: python -m benchmarks.idle_agents [--agents 50] [--actions 100] [--seconds 10]
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from services.upstream import UpstreamProcess
from world import World

from aileron_mcp.client import ToolList
from aileron_mcp.daemon_link import DaemonLink
from aileron_mcp.watching import watch
from benchmarks.processor import ProcessorTime


def keeping_list(link: DaemonLink) -> Callable[[], Awaitable[None]]:
    """Return what an agent's server does at each piece of news: ask for the list again, if it changed."""
    known: list[ToolList | None] = [None]

    async def refresh() -> None:
        known[0] = await (await link.client()).list_tools(known=known[0])

    return refresh


async def idle(world: World, agents: int, seconds: float) -> ProcessorTime:
    """Return what the daemon used in so many seconds, each of them with so many agents."""
    assert world.process is not None
    links = [
        DaemonLink({"AILERON_URL": world.agent_url, "AILERON_TOKEN": world.session(label=f"agent {number}")[1]})
        for number in range(agents)
    ]
    following = [asyncio.create_task(watch(link, keeping_list(link))) for link in links]
    await asyncio.sleep(3)  # all have connected and asked for the list once
    before = ProcessorTime.of(world.process.pid)
    await asyncio.sleep(seconds)
    used = ProcessorTime.of(world.process.pid).each(before, 1)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for link in links:
        await link.close()
    return used


def main() -> None:
    """Measure without agents, and with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--actions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        World(Path(folder), upstream=upstream.url) as world,
    ):
        world.start()
        world.set_up()
        for number in range(given.actions):
            world.add_action(f"post-item-{number}")
        for agents in (0, given.agents):
            print(f"{agents} agents, {given.seconds:g} s: {asyncio.run(idle(world, agents, given.seconds))}")
        world.stop()


if __name__ == "__main__":
    main()
