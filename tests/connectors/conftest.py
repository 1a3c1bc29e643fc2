"""The fixture of this folder: a room whose services are closed when the test ends."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from room import Room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """Offer the whole room, with nothing installed."""
    async with AsyncExitStack() as stack:
        yield await Room(tmp_path, stack).open()
