"""One installation for the tests of aileron-mcp that do not stop its daemon."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import uvloop
from services.upstream import UpstreamProcess
from world import World

_ON_BOTH_LOOPS = {"test_lines_of_a_pipe.py", "test_straight_way.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is about the pipe on the loop that aileron-mcp takes where it is there, and on the other one."""
    plain = {"asyncio": asyncio.new_event_loop}
    return {**plain, "uvloop": uvloop.new_event_loop} if item.path.name in _ON_BOTH_LOOPS else plain


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    """Offer the service that actions call."""
    with UpstreamProcess() as started:
        started.behave("/item", json={"ok": True})
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, upstream: UpstreamProcess) -> Iterator[World]:
    """Offer a running installation with an action that runs and one that asks."""
    with World(tmp_path_factory.mktemp("world"), upstream=upstream.url) as made:
        made.start()
        made.set_up()
        made.add_action("post-item")
        made.add_action("put-item", op="put_json")
        made.add_action("ask-first", approval=True)
        yield made


@pytest.fixture
def item(world: World) -> dict[str, Any]:
    """Offer arguments that the actions take."""
    return {"url": f"{world.upstream}/item", "body": "{}"}
