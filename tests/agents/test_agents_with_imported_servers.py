"""A person's MCP servers, taken over from the files of five agents, called by each of those agents on this machine."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents.runners import PROMPT, Bench
from agents.test_agent_matrix import pytestmark  # noqa: F401 - the same marks
from modelled import modelled
from servers.imported import RULES, TOKENS, Home, Taken, approve, happened, script
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess

AGENTS = ("claude", "codex", "goose", "opencode", "pi")
KEY = "sk-sentinel-1c7e-model-key"


class OneHome(Bench):
    """A bench whose agents share the home of one person."""

    taken: Taken

    def home(self, agent: str) -> Path:  # noqa: ARG002 - it is the same for each
        return self.taken.home.folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHome]:
    folder = tmp_path_factory.mktemp("imported")
    with (
        UpstreamProcess() as upstream,
        ModelProcess() as model,
        modelled(folder, upstream=upstream, model=model, key=KEY, settings=RULES) as world,
    ):
        made = OneHome(folder, world, model, keyless=True)
        made.taken = Taken(world, Home.made(folder / "person"))
        yield made


def test_servers_of_five_agents_are_taken_over_without_a_token_left_in_their_files(bench: OneHome) -> None:
    assert bench.taken.names() == ["fetch", "filesystem", "git", "memory", "sequential-thinking", "time"]
    files = b"".join(bench.taken.home.files().values()) + (bench.world.home / "servers.yaml").read_bytes()
    assert not [token for token in TOKENS if token.encode() in files]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_calls_what_is_allowed_hears_what_is_denied_and_waits_for_what_is_approved(
    bench: OneHome, agent: str
) -> None:
    home = bench.taken.home
    script(bench.model, home)
    process = bench.start(agent)
    approve(bench.world, home, process)
    ended = bench.finish(process)
    assert ended.code == 0, ended.err
    happened(home, ended.out)
    assert "2 calls run, 1 approval asked for" in ended.err
    assert "no server" not in ended.err


def by_url(agent: str, url: str, model: str) -> list[str]:
    """Return the command of an agent that is given the URL of the surface, and not launched by us."""
    if agent == "claude":
        server = {"type": "http", "url": url, "headers": {"Authorization": "Bearer ${AILERON_TOKEN}"}}
        given = json.dumps({"mcpServers": {"aileron": server}})
        return ["claude", "-p", PROMPT, "--mcp-config", given, "--strict-mcp-config", "--allowedTools", "mcp__aileron"]
    server = f'{{url = "{url}", bearer_token_env_var = "AILERON_TOKEN", required = true'
    provider = f'{{name = "fake", base_url = "{model}/v1", wire_api = "responses", env_key = "FAKE_KEY"}}'
    said = (
        f'mcp_servers.aileron={server}, default_tools_approval_mode = "approve"}}',
        f"model_providers.fake={provider}",
        'model_provider="fake"',
    )
    options = [word for each in said for word in ("-c", each)]
    return ["codex", "exec", "--skip-git-repo-check", "--disable", "plugins", *options, PROMPT]


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_an_agent_that_is_given_the_url_of_the_surface_is_held_by_the_same_rules(bench: OneHome, agent: str) -> None:
    home = bench.taken.home
    script(bench.model, home)
    session, token = bench.world.session()
    told = {"ANTHROPIC_BASE_URL": bench.model.url, "ANTHROPIC_API_KEY": "sk-ant-fake", "FAKE_KEY": "sk-fake"}
    process = subprocess.Popen(
        by_url(agent, f"{bench.world.agent_url}/mcp", bench.model.url),
        cwd=home.folder / "work",
        env=bench.environment(agent) | told | {"AILERON_TOKEN": token, "ENABLE_TOOL_SEARCH": "false"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    approve(bench.world, home, process)
    ended = bench.finish(process)
    assert ended.code == 0, ended.err
    happened(home, ended.out)
    bench.world.ok("POST", f"/v1/sessions/{session}/end")


def test_afterwards_every_file_is_given_back_with_the_same_bytes_but_for_what_an_agent_wrote_itself(
    bench: OneHome,
) -> None:
    bench.taken.restore()
    after, before = bench.taken.home.files(), dict(bench.taken.before)
    # Claude Code counts its starts in its own file while it runs, and moves settings elsewhere.
    theirs, mine = (json.loads(files.pop(".claude.json")) for files in (after, before))
    assert after == before
    assert theirs["mcpServers"] == mine["mcpServers"]
    assert bench.taken.names() == []
