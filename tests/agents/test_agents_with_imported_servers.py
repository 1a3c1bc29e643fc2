"""A person's MCP servers, taken over from the files of five agents, called by each of those agents on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents.runners import Bench
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
