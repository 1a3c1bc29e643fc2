"""What the tests of servers share."""

from collections.abc import Iterator

import pytest
from servers.started import HostileHttp


@pytest.fixture(scope="session")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileHttp]:
    """One process with all hostile servers over HTTP."""
    servers = HostileHttp(tmp_path_factory.mktemp("http"))
    yield servers
    servers.close()
