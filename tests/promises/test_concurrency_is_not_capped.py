"""Row G6: two hundred calls to a service that takes a second overlap, on two processors."""

import asyncio
import time

import aiohttp
from services.upstream import UpstreamProcess
from world import World

CALLS = 200


def test_two_hundred_calls_to_a_slow_service_overlap(world: World, upstream: UpstreamProcess) -> None:
    upstream.behave("/slow", delay=1.0, json={"ok": True})
    world.start()
    world.set_up()
    world.add_action("post")
    token = world.session()[1]
    body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}

    async def flood() -> tuple[float, list[int]]:
        headers = {"Authorization": f"Bearer {token}"}
        connector = aiohttp.TCPConnector(limit=CALLS)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def one() -> int:
                async with session.post(f"{world.agent_url}/v1/actions/post/run", json=body) as answer:
                    await answer.read()
                    return answer.status

            began = time.perf_counter()
            statuses = await asyncio.gather(*(one() for _ in range(CALLS)))
            return time.perf_counter() - began, statuses

    seconds, statuses = asyncio.run(flood())
    assert set(statuses) == {200}
    # About 1.3 s on a quiet machine. Behind the default thread pool they would take 34 s, one after another 200.
    assert seconds < 10
