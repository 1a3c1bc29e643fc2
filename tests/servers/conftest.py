"""What the tests of servers share."""

import socket
from collections.abc import Iterator

import pytest
from servers.started import HostileHttp


@pytest.fixture(scope="session")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileHttp]:
    """One process with all hostile servers over HTTP."""
    servers = HostileHttp(tmp_path_factory.mktemp("http"))
    yield servers
    servers.close()


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nobody listens, for a program that can only be told a number."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
