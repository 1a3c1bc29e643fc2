"""The client of the agent API, against the real daemon: what an agent's side of the story looks like."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import ROOT, World

from aileron_mcp.client import AgentApiError, AgentClient, RunPending, RunResult


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
        listed = await client.list_actions()
        assert {item["name"] for item in listed.items} >= {"post-item", "ask-first"}
        assert await client.list_actions(known=listed) is listed
        world.add_action("another")
        assert await client.list_actions(known=listed) is not listed


async def test_it_runs_an_action(world: World, arguments: dict[str, Any]) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        done = await client.run("post-item", arguments)
        assert isinstance(done, RunResult)
        assert done.audit_id.startswith("aud_")


async def test_it_waits_for_a_person(world: World, arguments: dict[str, Any]) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        asked = await client.run("ask-first", arguments)
        assert isinstance(asked, RunPending)
        assert asked.approval_id in asked.review_url
        assert (await client.poll(asked.approval_id))["status"] == "pending"
        polling = asyncio.ensure_future(client.poll(asked.approval_id, wait_seconds=20))
        await asyncio.sleep(0.05)
        world.ok("POST", f"/v1/approvals/{asked.approval_id}/approve", {})
        assert (await polling)["status"] in {"completed", "running", "approved"}


async def test_a_failure_comes_with_its_envelope(world: World) -> None:
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        with pytest.raises(AgentApiError) as caught:
            await client.run("post-item", {})
        assert caught.value.envelope is not None
        assert caught.value.envelope["error"]["class"] == "invalid_arguments"
        with pytest.raises(AgentApiError) as caught:
            await client.run("../../v1/stop", {})
        assert caught.value.envelope is None or caught.value.envelope["error"]["class"] == "not_found"


async def test_a_wrong_token_and_a_daemon_that_is_not_there_are_said(world: World) -> None:
    async with AgentClient(world.agent_url, "ailt_wrong") as client:
        with pytest.raises(AgentApiError, match="needs a session token"):
            await client.list_actions()
    async with AgentClient("http://127.0.0.1:9", "ailt_x") as client:
        assert not await client.health()
        with pytest.raises(AgentApiError, match="cannot be reached"):
            await client.list_actions()


async def test_a_proxy_from_the_environment_does_not_get_the_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with AgentClient(world.agent_url, world.session()[1]) as client:
        await client.list_actions()


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
