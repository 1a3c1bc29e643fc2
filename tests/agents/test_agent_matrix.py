"""Each of the five agents, as its vendor ships it, against a scripted model: it acts, asks, and hears the outcome."""

import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents.runners import Bench
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import API_KEY, World

AGENTS = ("claude", "codex", "goose", "opencode", "pi", "pi-adapter")
pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(
        (platform.system(), platform.machine()) != ("Linux", "x86_64"),
        reason="the pinned agents are for Linux on x86_64",
    ),
]
SHIPPED = "shipped-4711"


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    with UpstreamProcess() as started:
        yield started


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, upstream: UpstreamProcess) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("agents")
    with ModelProcess() as model, World(folder, upstream=upstream.url) as world:
        upstream.behave("/item", json={"status": SHIPPED})
        world.start()
        world.set_up()
        world.add_action("post-item")
        world.add_action("ask-first", approval=True)
        yield Bench(folder, world, model)


def arguments(bench: Bench) -> dict[str, Any]:
    return {"url": f"{bench.world.upstream}/item", "body": "{}"}


def pending(bench: Bench) -> str:
    """Return the one approval that waits, as soon as there is one."""
    deadline = time.monotonic() + 60
    while True:
        items = bench.world.ok("GET", "/v1/approvals?state=pending")["items"]
        if items:
            assert len(items) == 1
            return str(items[0]["id"])
        assert time.monotonic() < deadline, "nothing was asked for"
        time.sleep(0.05)


def files_of(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.mark.parametrize("agent", AGENTS)
def test_it_calls_an_action_and_reports_the_result(bench: Bench, upstream: UpstreamProcess, agent: str) -> None:
    home = bench.home(agent)
    mine = files_of(home)
    upstream.forget()
    upstream.behave("/item", json={"status": SHIPPED})
    bench.model.script("post_item", **arguments(bench))
    ended = bench.finish(bench.start(agent))
    assert ended.code == 0, ended.err
    assert SHIPPED in ended.out
    assert len(upstream.seen("/item")) == 1
    assert "1 action run, 0 approvals asked for" in ended.err
    # What the person had is as it was; the key was with the service, and with nobody else.
    assert {path: files_of(home)[path] for path in mine} == mine
    assert any(API_KEY in str(seen.headers) for seen in upstream.seen("/item"))
    assert API_KEY not in ended.out + ended.err + str(bench.model.seen)
    assert all(API_KEY.encode() not in content for content in files_of(home).values())


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("decision", "told"), [("approve", SHIPPED), ("deny", "approval_denied")])
def test_it_follows_an_approval_to_its_end(
    bench: Bench, upstream: UpstreamProcess, agent: str, decision: str, told: str
) -> None:
    upstream.forget()
    upstream.behave("/item", json={"status": SHIPPED})
    bench.model.script("ask_first", **arguments(bench))
    process = bench.start(agent)
    approval = pending(bench)
    assert upstream.seen("/item") == []
    bench.world.ok("POST", f"/v1/approvals/{approval}/{decision}", {})
    ended = bench.finish(process)
    assert ended.code == 0, ended.err
    assert told in ended.out
    assert len(upstream.seen("/item")) == (1 if decision == "approve" else 0)
    assert "1 approval asked for" in ended.err


def test_no_session_and_no_server_of_ours_outlives_the_agents(bench: Bench) -> None:
    active = bench.world.ok("GET", "/v1/sessions?active=true")["items"]
    assert [item["kind"] for item in active] == ["terminal"]
    deadline = time.monotonic() + 10
    while servers := [
        path for path in Path("/proc").glob("[0-9]*/cmdline") if _reads(path, b"aileron_mcp", str(bench.world.folder))
    ]:
        assert time.monotonic() < deadline, servers
        time.sleep(0.1)


def _reads(cmdline: Path, word: bytes, place: str) -> bool:
    """Say whether a process runs our server for this very installation."""
    try:
        started_here = place.encode() in (cmdline.parent / "environ").read_bytes()
        return started_here and word in cmdline.read_bytes()
    except OSError:
        return False
