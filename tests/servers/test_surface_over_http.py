"""The same surface for agents that take a URL: both eras, the agent's own token, and nothing beside it."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import ElicitRequestParams, ElicitResult
from waiting import wait_until
from world import World

HERE = Path(__file__).parent
HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}
PLAIN = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rules = '[approvals.rules.new__fail]\ndecision = "deny"\nreason = "Nobody fails."\n'
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9", settings=rules) as made:
        made.start()
        made.set_up_vault()
        made.ok("POST", "/v1/servers", {"name": "new", "command": [sys.executable, str(HERE / "sdk_server.py")]})
        made.ok("POST", "/v1/servers/new/test")
        yield made


async def blue(_: ClientRequestContext, __: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"colour": "blue"})


@asynccontextmanager
async def agent(world: World, token: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(f"{world.agent_url}/mcp", http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=blue) as client:
            yield client


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_agent_of_either_era_calls_reads_and_answers_over_http(world: World, mode: Any) -> None:
    heard: list[float] = []

    async def progress(done: float, _: float | None, __: str | None) -> None:
        heard.append(done)

    async with agent(world, world.session()[1], mode) as client:
        assert {"new__add", "check_action_status"} <= {tool.name for tool in (await client.list_tools()).tools}
        assert (await client.call_tool("new__add", {"one": 2, "other": 3})).structured_content == {"result": 5}
        await client.call_tool("new__steps", {}, progress_callback=progress)
        assert heard == [1, 2, 3]
        asked = await client.call_tool("new__ask", {})
        assert asked.content[0].model_dump()["text"] == "blue"
        denied = await client.call_tool("new__fail", {})
        assert denied.is_error
        assert "Nobody fails." in str(denied.content)
        read = await client.read_resource("note:///one")
        assert read.contents[0].model_dump()["text"] == "the first note"


def test_the_door_is_that_of_the_agent_api(world: World) -> None:
    token = world.session()[1]
    url, bearer = f"{world.agent_url}/mcp", {"Authorization": f"Bearer {token}"}
    with httpx.Client(trust_env=False, headers=PLAIN) as http:
        assert http.post(url, json=HANDSHAKE).status_code == 401
        for more in ({"Origin": world.agent_url}, {"Host": "evil.test"}):
            assert http.post(url, json=HANDSHAKE, headers=bearer | more).status_code == 403
        assert http.post(url, json=HANDSHAKE, headers=bearer).status_code == 200
        assert http.post(world.control_url + "/mcp", json=HANDSHAKE, headers=bearer).status_code in {401, 403}


def test_a_session_of_the_protocol_is_of_no_use_with_another_token(world: World) -> None:
    mine, theirs = world.session()[1], world.session()[1]
    with httpx.Client(trust_env=False, headers=PLAIN) as http:
        opened = http.post(f"{world.agent_url}/mcp", json=HANDSHAKE, headers={"Authorization": f"Bearer {mine}"})
        stolen = {"Authorization": f"Bearer {theirs}", "Mcp-Session-Id": opened.headers["mcp-session-id"]}
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert http.post(f"{world.agent_url}/mcp", json=listing, headers=stolen).status_code == 404


def test_sessions_of_the_protocol_are_bounded_and_end_with_the_session(world: World) -> None:
    session, token = world.session()
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(trust_env=False, headers=PLAIN | bearer, timeout=30) as http:
        statuses = [http.post(f"{world.agent_url}/mcp", json=HANDSHAKE).status_code for _ in range(9)]
        assert statuses == [200] * 8 + [503]
        world.ok("POST", f"/v1/sessions/{session}/end")
        assert http.post(f"{world.agent_url}/mcp", json=HANDSHAKE).status_code == 401


def test_a_call_that_waits_for_an_answer_ends_with_its_session(world: World) -> None:
    session, token = world.session()
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    params = {"name": "new__ask", "arguments": {}, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    routing = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "new__ask"}
    with httpx.Client(trust_env=False, headers=PLAIN | routing, timeout=30) as http:
        waiting = http.post(f"{world.agent_url}/mcp", json=call, headers={"Authorization": f"Bearer {token}"})
        assert "input_required" in waiting.text
    assert world.ok("GET", "/v1/status")["runs"]["active"] >= 1
    world.ok("POST", f"/v1/sessions/{session}/end")
    wait_until(lambda: world.ok("GET", "/v1/status")["runs"]["active"] == 0)
