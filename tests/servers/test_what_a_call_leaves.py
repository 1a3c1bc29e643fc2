"""What a call leaves in memory when it is over.

A daemon that serves calls for weeks stays small and quick when each of them is freed at its end, and not later by a
search through everything that there is.
"""

import asyncio
import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servers.gate_room import GateRoom, gate_room
from servers.pin_room import tool
from servers.small_servers import SmallServers

from daemon.base.once import Once
from daemon.execution.reach import Reach
from daemon.execution.requests import CheckedRun
from daemon.execution.run import Run
from daemon.execution.under_way import UnderWay
from daemon.tools.servers.calls import PreparedServerCall
from daemon.tools.servers.values import ServerConfig

OF_A_CALL = (CheckedRun, PreparedServerCall, Reach, Run, UnderWay)


class Listens:
    """An asker who waits for the result."""

    log_level = None

    def __init__(self) -> None:
        self.cancelled = Once()
        self.capabilities: Mapping[str, Any] = {}

    def progress(self, params: Mapping[str, Any]) -> None:
        """Hear nothing."""

    def let_go(self) -> None:
        """Stay."""


async def left_behind(room: GateRoom) -> list[str]:
    """Return what is there of calls that are over, without the help of the garbage collector."""
    for _ in range(3):
        await asyncio.sleep(0)  # the tasks of the calls take leave
    return [type(each).__qualname__ for each in gc.get_objects() if isinstance(each, OF_A_CALL)]


async def test_a_call_that_is_over_is_freed_at_once_and_needs_no_garbage_collector(tmp_path: Path) -> None:
    servers = SmallServers(ServerConfig(name="hub", command=("hub-mcp",)))
    servers.servers["hub"].tools = [tool("read")]
    async with gate_room(tmp_path, servers) as room:
        await room.looked()
        gc.collect()
        gc.disable()
        try:
            for talk in (None, Listens(), None):
                await room.call("hub__read", talk=talk)
                assert await left_behind(room) == []
        finally:
            gc.enable()
