"""The world that promises are tested in: one upstream for a module, a fresh installation for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from world import World


@pytest.fixture(scope="module")
def _shared_upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as upstream:
        yield upstream


@pytest.fixture
def upstream(_shared_upstream: UpstreamProcess) -> UpstreamProcess:
    """Offer the service that actions call, as if nothing had happened to it yet."""
    _shared_upstream.forget()
    return _shared_upstream


@pytest.fixture
def world(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[World]:
    """Offer an installation whose daemon is not started yet."""
    with World(tmp_path, upstream=upstream.url) as made:
        yield made
