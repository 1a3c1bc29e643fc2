"""The client of the agent API, against the real daemon: what an agent's side of the story looks like."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from services.upstream import Upstream, UpstreamProcess
from world import ROOT, World

from aileron_mcp.client import (
    AgentApiError,
    AgentClient,
    AgentUnreachable,
    AnswerLost,
    CallPending,
    CallResult,
    NotSendable,
)
from aileron_mcp.trust import trust
from daemon.api.paging import Part, cut


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as started:
        started.behave("/item", json={"ok": True})
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, upstream: UpstreamProcess) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), upstream=upstream.url) as made:
        made.start()
        made.set_up()
        made.add_action("post-item")
        made.add_action("ask-first", approval=True)
        yield made


@pytest.fixture
def arguments(world: World) -> dict[str, Any]:
    return {"url": f"{world.upstream}/item", "body": "{}"}


async def test_it_lists_and_asks_again_only_for_what_changed(world: World) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        assert await client.health()
        listed = await client.list_tools()
        assert {item["name"] for item in listed.items} >= {"post_item", "ask_first"}
        assert await client.list_tools(known=listed) is listed
        world.add_action("another")
        assert await client.list_tools(known=listed) is not listed


async def test_it_runs_an_action(world: World, arguments: dict[str, Any]) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        done = await client.call("post_item", arguments)
        assert isinstance(done, CallResult)
        assert done.audit_id.startswith("aud_")


async def test_it_waits_for_a_person(world: World, arguments: dict[str, Any]) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        asked = await client.call("ask_first", arguments)
        assert isinstance(asked, CallPending)
        assert asked.approval_id in asked.review_url
        assert (await client.poll(asked.approval_id))["status"] == "pending"
        polling = asyncio.ensure_future(client.poll(asked.approval_id, wait_seconds=20))
        await asyncio.sleep(0.05)
        world.ok("POST", f"/v1/approvals/{asked.approval_id}/approve", {})
        assert (await polling)["status"] in {"completed", "running", "approved"}


async def test_a_failure_comes_with_its_envelope(world: World) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        with pytest.raises(AgentApiError) as caught:
            await client.call("post_item", {})
        assert caught.value.envelope is not None
        assert caught.value.envelope["error"]["class"] == "invalid_arguments"
        with pytest.raises(AgentApiError) as caught:
            await client.call("../../v1/stop", {})
        assert caught.value.envelope is None or caught.value.envelope["error"]["class"] == "not_found"


@pytest.mark.parametrize(
    "value",
    ["\ud800", float("nan"), float("inf"), 10**5000, {1, 2}],
    ids=["surrogate", "nan", "infinity", "long", "set"],
)
async def test_arguments_that_json_cannot_hold_are_refused_before_anything_is_sent(world: World, value: Any) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        before = len(world.events())
        with pytest.raises(NotSendable, match="cannot be sent as JSON"):
            await client.call("post_item", {"url": "x", "body": value})
    assert len(world.events()) == before


async def _answering(content: bytes) -> "tuple[asyncio.Server, str]":
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b"[]", b"\xff", b"9" * 5000],
    ids=["none", "half", "deep", "list", "raw", "long"],
)
async def test_an_answer_that_cannot_be_read_is_a_lost_one_and_no_success(content: bytes) -> None:
    server, url = await _answering(content)
    async with server, AgentClient(url, "ailt_x") as client:
        with pytest.raises(AnswerLost):
            await client.call("post_item", {})


async def test_a_client_for_plain_http_connects_to_nobody_over_https() -> None:
    async with Upstream(tls=True) as https:
        async with httpx.AsyncClient(verify=trust("http://127.0.0.1"), trust_env=False) as http:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await http.get(f"{https.url}/v1/sessions", headers={"Authorization": "Bearer master"})
        async with AgentClient(https.url, "ailt_x") as client:
            with pytest.raises(AgentUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.list_tools()
        assert https.requests == []
        async with AgentClient(https.url, "ailt_x", ca_file=https.ca_file) as client:
            assert await client.health()
        assert [request.path for request in https.requests] == ["/healthz"]


def test_nothing_beside_the_agent_turns_the_check_of_certificates_off() -> None:
    for path in (ROOT / "aileron_mcp").glob("*.py"):
        text = path.read_text()
        assert "verify=False" not in text, path
        assert "CERT_NONE" not in text, path


async def test_a_wrong_token_and_a_daemon_that_is_not_there_are_said(world: World) -> None:
    async with AgentClient(world.agent_url, "ailt_wrong") as client:
        with pytest.raises(AgentApiError, match="needs a session token"):
            await client.list_tools()
    async with AgentClient("http://127.0.0.1:9", "ailt_x") as client:
        assert not await client.health()
        with pytest.raises(AgentApiError, match="cannot be reached"):
            await client.list_tools()


async def test_a_proxy_from_the_environment_does_not_get_the_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        await client.list_tools()


def test_it_stands_without_the_daemon(tmp_path: Path) -> None:
    # It is installed in a container by itself.
    shutil.copytree(ROOT / "aileron_mcp", tmp_path / "aileron_mcp")
    (tmp_path / "daemon.py").write_text("raise ImportError('this is not there')")
    code = "import aileron_mcp.client; print(aileron_mcp.client.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


async def test_a_list_of_tools_that_comes_in_parts_is_read_to_its_end() -> None:
    tools = [{"name": f"tool_{number}"} for number in range(7)]
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked = parse_qs(urlsplit(head.split()[1].decode()).query).get("cursor", [None])[0]
                items, cursor = cut("tools", tools, key=lambda each: (each["name"],), part=Part(3, asked))
                body = json.dumps({"items": items, "next_cursor": cursor}).encode()
                writer.write(b'HTTP/1.1 200 OK\r\nETag: "all"\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with AgentClient(url, "t") as client:
            listed = await client.list_tools()
        await ended.wait()
    assert list(listed.items) == tools
    assert listed.etag == '"all"'
