"""Which lines of an agent take the straight way past the MCP library, and what becomes of them there."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import anyio
import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.connection import Connection
from mcp.server.session import ServerSession
from mcp.shared.message import SessionMessage
from mcp_types.methods import serialize_server_result, validate_client_request

from aileron_mcp.calling import Calls
from aileron_mcp.daemon_link import DaemonLink
from aileron_mcp.lines import encode, read_line
from aileron_mcp.listing import Listing
from aileron_mcp.ordinary import ordinary_call
from aileron_mcp.pipe import Pipe
from aileron_mcp.results import model_of, result_line
from aileron_mcp.rounds import Rounds
from aileron_mcp.straight import StraightWay
from aileron_mcp.texts import Reply
from aileron_mcp.writing import LineWriter

VERSION = "2025-11-25"
_TEXT = st.text(max_size=8)
_ODD_TEXT = st.text(st.characters(exclude_categories=()), max_size=4)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_META = st.dictionaries(
    st.sampled_from(["progressToken", "x/y", "io.modelcontextprotocol/protocolVersion"]),
    st.integers() | _TEXT | _JSON,
    max_size=2,
)
_PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": _TEXT | _JSON,
        "arguments": st.dictionaries(_TEXT, _JSON, max_size=3) | _JSON,
        "_meta": _META | _JSON,
        "task": _JSON,
    },
)
_REQUEST = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | _JSON, "id": st.integers() | _TEXT | _JSON, "method": st.just("tools/call")},
    optional={"params": _PARAMS | _JSON, "x": _JSON},
)
_BLOCK = st.fixed_dictionaries({"type": st.just("text") | _TEXT}, optional={"text": _TEXT | _JSON, "_meta": _JSON})


@given(_REQUEST)
def test_an_ordinary_call_means_to_the_library_what_it_means_here(request: dict[str, Any]) -> None:
    line = json.dumps(request).encode() + b"\n"
    call = ordinary_call(line)
    if call is not None:
        message = read_line(line)
        assert isinstance(message, types.JSONRPCRequest)
        validate_client_request(message.method, VERSION, message.params)
        params = types.CallToolRequestParams.model_validate(message.params, by_name=False)
        assert (message.id, type(message.id)) == (call.id, type(call.id))
        assert (params.name, params.arguments or {}) == (call.tool, call.arguments)
        assert (params.meta or {}).get("progress_token", (params.meta or {}).get("progressToken")) == call.token


@given(st.integers() | _TEXT, _TEXT, st.dictionaries(_TEXT, st.text(max_size=3) | st.integers(), max_size=3))
def test_a_call_as_agents_write_it_is_ordinary(number: Any, tool: str, arguments: dict[str, Any]) -> None:
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": number, "agent/use": "x"}}
    request = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    found = ordinary_call(json.dumps(request).encode())
    assert found is not None
    assert (found.id, found.tool, found.arguments, found.token) == (number, tool, arguments, number)


@given(
    st.integers() | _TEXT,
    st.builds(
        Reply,
        said=_ODD_TEXT | _JSON,
        structured=st.none() | st.dictionaries(_TEXT, _JSON, max_size=3) | _JSON,
        failed=st.booleans(),
        content=st.lists(_BLOCK, max_size=3).map(tuple),
        meta=st.none() | st.dictionaries(_TEXT, _JSON, max_size=3),
    ),
)
def test_the_line_of_a_result_says_what_the_library_would_write(number: Any, reply: Reply) -> None:
    line = result_line(number, reply, VERSION)
    try:
        dumped = model_of(reply).model_dump(by_alias=True, mode="json", exclude_none=True)
        result = serialize_server_result("tools/call", VERSION, dumped)
    except ValueError:
        assert json.loads(line)["error"]["code"] == types.INTERNAL_ERROR
        return
    expected = encode(types.JSONRPCResponse(jsonrpc="2.0", id=number, result=result))
    assert json.loads(line) == json.loads(expected)


class Agent:
    """The other end of a pipe, and what comes out of it for the library."""

    def __init__(self, link: DaemonLink) -> None:
        from_agent, self._write = os.pipe()
        reading, to_agent = os.pipe()
        self.answers = os.fdopen(reading, "rb")
        self._ends = from_agent, to_agent
        session = ServerSession(cast(Any, None), Connection.for_loop(cast(Any, None)))
        rounds = Rounds()
        straight = self.straight = StraightWay(Calls(link, Listing(link), rounds), rounds, lambda: session)
        self.writer = LineWriter(to_agent)
        self.pipe = Pipe(from_agent, self.writer, straight)
        to_server, self.to_library = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self.reading = asyncio.ensure_future(self.pipe.read(to_server))

    def send(self, method: str, number: Any = None, **params: Any) -> None:
        """Write one message."""
        named = {} if number is None else {"id": number}
        os.write(
            self._write, json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **named}).encode() + b"\n"
        )

    async def handed_on(self) -> str:
        """Return the method of the next message that is handed to the library."""
        async with asyncio.timeout(10):
            item = await self.to_library.receive()
        assert isinstance(item, SessionMessage)
        return str(getattr(item.message, "method", ""))

    async def answered(self) -> dict[str, Any]:
        """Return the next line to the agent."""
        async with asyncio.timeout(10):
            line = await asyncio.get_running_loop().run_in_executor(None, self.answers.readline)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def close(self) -> None:
        """End it all."""
        os.close(self._write)
        self.pipe.close()
        self.to_library.close()
        async with asyncio.timeout(10):
            await self.reading
        await self.writer.close()
        self.answers.close()
        for end in self._ends:
            os.close(end)


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    """Offer an agent whose daemon does not run, which every call is told."""
    made = Agent(DaemonLink({"AILERON_HOME": str(tmp_path)}))
    yield made
    await made.close()


@pytest.fixture
async def waiting() -> AsyncIterator[Agent]:
    """Offer an agent of which no call is ever answered."""
    gone = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        link = DaemonLink({"AILERON_URL": url, "AILERON_TOKEN": "t"})
        made = Agent(link)
        yield made
        await made.close()
        async with asyncio.timeout(10):
            await gone.wait()


async def test_an_ordinary_call_is_answered_past_the_library_and_all_else_is_handed_on(agent: Agent) -> None:
    agent.send("tools/call", 1, name="x", arguments={})
    agent.send("tools/call", "two", name="x")
    for number in (1, "two"):
        answer = await agent.answered()
        assert answer["id"] == number
        assert "aileron daemon start" in answer["result"]["content"][0]["text"]
    agent.send("tools/call", 3, name="x", arguments={}, task={})
    assert await agent.handed_on() == "tools/call"
    agent.send("tools/list", 4)
    assert await agent.handed_on() == "tools/list"


@pytest.mark.parametrize("method", ["initialize", "logging/setLevel"])
async def test_calls_behind_what_decides_how_they_are_answered_are_handed_on_too(agent: Agent, method: str) -> None:
    known = agent.straight.manner()
    assert known is agent.straight.manner(), "it is looked up once"
    agent.send(method, 1)
    assert await agent.handed_on() == method
    assert known is not agent.straight.manner(), "and again, because it may be another one now"
    agent.send("tools/call", 2, name="x", arguments={})
    assert await agent.handed_on() == "tools/call"
    outgoing, from_library = anyio.create_memory_object_stream[SessionMessage](2)
    for number in (1, 2):
        outgoing.send_nowait(SessionMessage(types.JSONRPCResponse(jsonrpc="2.0", id=number, result={})))
    outgoing.close()
    await agent.pipe.write(from_library)
    assert [(await agent.answered())["id"] for _ in range(2)] == [1, 2]
    agent.send("tools/call", 3, name="x", arguments={})
    assert (await agent.answered())["id"] == 3


async def test_an_id_under_way_is_refused_on_either_way_and_free_when_it_was_called_off(waiting: Agent) -> None:
    waiting.send("tools/call", 7, name="x", arguments={})
    for method in ("tools/call", "tools/list"):
        waiting.send(method, 7, name="x", arguments={})
        assert "still under way" in (await waiting.answered())["error"]["message"]
    waiting.send("notifications/cancelled", requestId="7")
    assert await waiting.handed_on() == "notifications/cancelled"
    waiting.send("tools/list", 7)
    assert await waiting.handed_on() == "tools/list"


async def test_an_agent_that_reads_no_more_is_taken_for_gone(agent: Agent) -> None:
    agent.answers.close()
    agent.send("tools/call", 1, name="x", arguments={})
    async with asyncio.timeout(10):
        await agent.reading
