"""The official conformance suite against our surface, with a server behind the gate that offers what it calls.

`conformance.yml` says what is known to fail, and why; the suite fails for everything else, and for a line too many.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from servers.conformance_door import door
from servers.conformance_suite import REVISIONS, passes
from world import World

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it runs on the Node of the pinned agents, which is for Linux"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Offer where the suite finds the surface."""
    rules = '[approvals.rules."ref__(sampling)"]\ndecision = "allow"\nreason = "The suite has no model."\n'
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9", settings=rules) as world:
        world.start()
        world.set_up_vault()
        command = [sys.executable, str(HERE / "reference_server.py")]
        world.ok("POST", "/v1/servers", {"name": "ref", "command": command})
        world.ok("POST", "/v1/servers/ref/test")
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(door(world.agent_url, world.session()[1]), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        server.should_exit = True
        thread.join(30)


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_surface_does_what_a_revision_of_the_protocol_requires(
    url: str, revision: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    passes("server", revision, "--url", url, folder=tmp_path, tell=record_property)
