"""A person's own MCP servers, taken over from five agents' files, called by each of those agents in a container."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from modelled import modelled
from sandbox.engine import SHORTLY, Shell
from sandbox.test_sandboxed_agents import AGENTS, ARGUMENTS, OPTIONS
from servers.imported import REASON, RULES, Home, Taken, approve, happened, script
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess

pytestmark = [pytest.mark.docker, pytest.mark.agents]
KEY = "sk-sentinel-83d5-model-key"
PLAIN_AGENT = """
import json, os, urllib.request
def ask(method, **params):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {
        "Authorization": "Bearer " + os.environ["AILERON_TOKEN"],
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **session,
    }
    url = os.environ["AILERON_URL"] + "/mcp"
    answer = urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30)
    if "Mcp-Session-Id" in answer.headers:
        session["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
    said = [line[5:] for line in answer.read().decode().splitlines() if line.startswith("data:")]
    return json.loads(said[-1])["result"]
session = {}
ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "plain", "version": "1"})
print(json.dumps([tool["name"] for tool in ask("tools/list")["tools"]]))
print(json.dumps(ask("tools/call", name="filesystem__list_allowed_directories", arguments={})))
print(json.dumps(ask("tools/call", name="git__git_commit", arguments={"repo_path": "/", "message": "m"})))
"""
"""A client of no library that takes a URL; what an agent with `type: http` in its configuration does."""


@dataclass
class Bench:
    """One person with servers, one scripted model, and a command line."""

    taken: Taken
    model: ModelProcess
    shell: Shell


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("sandboxed-servers")
    with (
        UpstreamProcess() as upstream,
        ModelProcess() as model,
        modelled(folder, upstream=upstream, model=model, key=KEY, settings=RULES, **SHORTLY) as world,
    ):
        yield Bench(Taken(world, Home.made(folder / "person")), model, Shell(world, folder))


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_in_a_container_calls_hears_of_a_deny_and_waits_for_what_is_approved(bench: Bench, agent: str) -> None:
    home = bench.taken.home
    script(bench.model, home)
    words = ["launch", "--sandbox", *OPTIONS.get(agent, ()), agent, "--", *ARGUMENTS[agent]]
    process = bench.shell.start(*words)
    approve(bench.taken.world, home, process)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    happened(home, out)
    assert "2 calls run, 1 approval asked for" in err


def test_an_agent_in_a_container_that_takes_a_url_calls_servers_by_it_under_the_same_rules(bench: Bench) -> None:
    ended = bench.shell.inside("aileron-python", "-c", PLAIN_AGENT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    listed, allowed, denied = map(json.loads, ended.stdout.splitlines())
    assert {"filesystem__read_text_file", "git__git_commit"} <= set(listed)
    assert str(bench.taken.home.repository) in str(allowed)
    assert (denied["isError"], REASON in str(denied)) == (True, True)


def test_then_every_file_is_given_back_with_the_same_bytes(bench: Bench) -> None:
    bench.taken.restore()
    assert bench.taken.home.files() == bench.taken.before
    assert bench.taken.names() == []
