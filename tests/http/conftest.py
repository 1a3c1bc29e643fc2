"""The fixture of this room: upstreams and clients that are closed when a test ends."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.services.outbound import Outside


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """Make upstreams and clients for one test."""
    async with AsyncExitStack() as stack:
        yield Outside(stack)
