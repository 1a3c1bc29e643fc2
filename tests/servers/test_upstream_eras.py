"""An honest server of the official SDK, in both eras and over both transports: everything comes through."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.started import SOON, Answering, Heard, HostileHttp, connected, hostile, reached
from waiting import eventually, wait_until

from daemon.tools.servers.upstream.connecting import Connection
from daemon.tools.servers.upstream.seam import Asking, Era, Trouble, UpstreamError

SDK = str(Path(__file__).with_name("sdk_server.py"))


@pytest.fixture(scope="module")
def sdk_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("sdk") / "port"
    process = subprocess.Popen([sys.executable, SDK, str(file)])
    try:
        wait_until(file.exists)
        yield f"http://127.0.0.1:{file.read_text()}/mcp"
    finally:
        process.kill()
        process.wait()


class Way:
    """How the server is reached."""

    def __init__(self, transport: str, era: Era, url: str) -> None:
        self.transport, self.era, self._url = transport, era, url

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[Connection, Heard]]:
        known = Era.HANDSHAKE if self.era is Era.HANDSHAKE else None
        if self.transport == "stdio":
            async with connected([sys.executable, SDK], era=known) as started:
                yield started.connection, started.heard
        else:
            async with reached(self._url, era=known) as there:
                yield there.connection, there.heard


@pytest.fixture(params=["stdio-handshake", "stdio-modern", "http-handshake", "http-modern"])
def way(request: pytest.FixtureRequest, sdk_url: str) -> Way:
    transport, _, era = request.param.partition("-")
    return Way(transport, Era(era), sdk_url)


async def test_everything_of_a_server_comes_through_in_both_eras_over_both_transports(way: Way) -> None:
    async with way.connection() as (server, heard):
        assert server.hello.era is way.era
        assert server.hello.instructions == "Be kind."
        assert [tool["name"] for tool in await server.tools(SOON)] == ["echo", "add", "fail", "steps", "ask", "change"]
        await _tools_are_called(server)
        await _a_question_is_answered(server)
        await _other_requests_are_answered(server)
        if way.era is Era.MODERN:
            await server.ask("resources/subscribe", {"uri": "note:///one"}, SOON)
            await asyncio.sleep(0.2)  # until the server has the subscription, which nothing says here
        await eventually_changed(server, heard, with_resource=way.era is Era.MODERN)
        assert not server.oddities


async def _tools_are_called(server: Connection) -> None:
    added = await server.call_tool("add", {"one": 1, "other": 2}, SOON)
    assert (added["structuredContent"], added["resultType"]) == ({"result": 3}, "complete")
    assert (await server.call_tool("fail", {}, SOON))["isError"] is True
    steps: list[Any] = []
    done = await server.call_tool("steps", {}, Asking(seconds=20, progress=steps.append))
    assert done["content"][0]["text"] == "done"
    assert [step["message"] for step in steps] == ["step 1", "step 2", "step 3"]
    texts = [f"text {number} \u00fc\u2028" for number in range(32)]
    answers = await asyncio.gather(*(server.call_tool("echo", {"text": text}, SOON) for text in texts))
    assert [answer["structuredContent"]["result"] for answer in answers] == texts
    with pytest.raises(UpstreamError) as raised:
        await server.ask("no/such", {}, SOON)
    assert (raised.value.trouble, raised.value.code) == (Trouble.REFUSED, -32601)


async def _a_question_is_answered(server: Connection) -> None:
    person = Answering()
    answered = await server.call_tool("ask", {}, Asking(seconds=20, answers=person))
    assert answered["structuredContent"] == {"result": "blue"}
    assert [method for method, _ in person.asked] == ["elicitation/create"]
    assert person.asked[0][1]["message"] == "Which colour?"


async def _other_requests_are_answered(server: Connection) -> None:
    assert [each["uri"] for each in await server.every("resources/list", SOON)] == ["note:///one"]
    templates = await server.every("resources/templates/list", SOON)
    assert [each["uriTemplate"] for each in templates] == ["note:///{name}/text"]
    assert [each["name"] for each in await server.every("prompts/list", SOON)] == ["greet"]
    read = await server.ask("resources/read", {"uri": "note:///x/text"}, SOON)
    assert read["contents"][0]["text"] == "the note x"
    prompt = await server.ask("prompts/get", {"name": "greet", "arguments": {"whom": "Ada"}}, SOON)
    assert prompt["messages"][0]["content"]["text"] == "Greet Ada."
    reference = {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "whom", "value": "A"}}
    assert (await server.ask("completion/complete", reference, SOON))["completion"]["values"] == ["Ada", "Alan"]


async def eventually_changed(server: Connection, heard: Heard, *, with_resource: bool) -> None:
    await server.call_tool("change", {}, SOON)
    await eventually(lambda: bool(heard.of("notifications/tools/list_changed")))
    if with_resource:
        await eventually(lambda: bool(heard.of("notifications/resources/updated")))


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_every_kind_of_content_passes_unchanged(era: str, http: HostileHttp) -> None:
    from servers.hostile_server import EVERY_CONTENT

    async with connected(hostile(era=era)) as piped, reached(http.serve(era=era).url) as there:
        for server in (piped.connection, there.connection):
            found = await server.call_tool("everything", {}, SOON)
            assert found["content"] == EVERY_CONTENT
            assert found["structuredContent"] == {"a": [1, None]}
            assert (found["_meta"]["x/y"], found["isError"], found["resultType"]) == ("z", True, "complete")
            listed = {tool["name"]: tool for tool in await server.tools(SOON)}["everything"]
            assert (listed["outputSchema"], listed["annotations"]) == ({"type": "object"}, {"readOnlyHint": True})


async def test_changes_are_heard_in_the_modern_era_and_resources_when_they_are_subscribed_to(
    http: HostileHttp,
) -> None:
    async with connected(hostile("listens", era="modern")) as piped, reached(http.serve("listens").url) as there:
        for server in (piped, there):
            await eventually(lambda server=server: bool(server.heard.of("notifications/tools/list_changed")))
            await server.connection.ask("resources/subscribe", {"uri": "note:///7"}, SOON)
            await eventually(lambda server=server: bool(server.heard.of("notifications/resources/updated")))
            assert server.heard.of("notifications/resources/updated")[0]["uri"] == "note:///7"
            assert server.heard.of("notifications/subscriptions/acknowledged") == []


async def test_a_question_over_one_pipe_never_reaches_another_sessions_person() -> None:
    people = {
        name: Answering({"action": "accept", "content": {"who": name}}) for name in ("mine", "theirs", "nobody's")
    }
    async with connected(hostile("asks", era="handshake"), answers=people["nobody's"]) as server:
        mine, theirs = await asyncio.gather(
            server.connection.call_tool("echo", {}, Asking(seconds=20, answers=people["mine"])),
            server.connection.call_tool("echo", {}, Asking(seconds=20, answers=people["theirs"])),
        )
    # While both calls are under way, nobody can say whose question it is.
    assert people["nobody's"].asked
    assert mine["structuredContent"]["given"]["q"]["content"]["who"] in {"mine", "nobody's"}
    assert theirs["structuredContent"]["given"]["q"]["content"]["who"] in {"theirs", "nobody's"}
    assert sum(len(each.asked) for each in people.values()) == 2


async def test_a_question_of_a_call_that_is_over_is_dropped() -> None:
    class Never(Answering):
        dropped = False

        async def answer(self, method: str, params: Any, name: str = "") -> Any:  # noqa: ARG002 - so it is asked
            await super().answer(method, params)
            try:
                await asyncio.Event().wait()
            finally:
                self.dropped = True

    person = Never()
    async with connected(hostile("asks", era="handshake")) as server:
        call = asyncio.ensure_future(server.connection.call_tool("echo", {}, Asking(seconds=20, answers=person)))
        await eventually(lambda: bool(person.asked))
        call.cancel()
        await eventually(lambda: person.dropped)
        assert await server.connection.tools(SOON)


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_the_time_of_a_call_stands_still_while_a_person_answers(era: str) -> None:
    class Slow(Answering):
        async def answer(self, method: str, params: Any, name: str = "") -> Any:  # noqa: ARG002 - so it is asked
            await asyncio.sleep(1.0)
            return await super().answer(method, params)

    async with connected(hostile("asks", era=era)) as server:
        found = await server.connection.call_tool("echo", {"text": "x"}, Asking(seconds=0.8, answers=Slow()))
        assert found["content"][0]["text"] == "x"


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_what_nobody_can_answer_is_refused_and_not_waited_for(era: str) -> None:
    async with connected(hostile("asks", era=era)) as server:
        if era == "modern":
            with pytest.raises(UpstreamError) as raised:
                await server.echo()
            assert (raised.value.trouble, raised.value.code) == (Trouble.REFUSED, -32021)
        else:
            assert await server.echo("x") == "x"
