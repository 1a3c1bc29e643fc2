"""Each of the five agents in a container: it acts, asks, hears the outcome, and its model key stays outside."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelled import asked_with, modelled
from sandbox.engine import SHORTLY, Shell, engine
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import API_KEY, World

pytestmark = [pytest.mark.docker, pytest.mark.agents]
AGENTS = ("claude", "codex", "goose", "opencode", "pi")
KEY = "sk-sentinel-41c7-sandbox-model-key"
SHIPPED = "shipped-4711"
PROMPT = "Ship it."
OPENCODE = {
    "model": "anthropic/fake-model",
    "small_model": "anthropic/fake-model",
    "provider": {"anthropic": {"models": {"fake-model": {}}}},
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "goose": ("--env", "GOOSE_PROVIDER=openai", "--env", "GOOSE_MODEL=fake-model"),
    "opencode": ("--env", f"OPENCODE_CONFIG_CONTENT={json.dumps(OPENCODE)}"),
}
ARGUMENTS = {
    "claude": ("-p", PROMPT),
    "codex": ("exec", "--skip-git-repo-check", "--disable", "plugins", "-m", "gpt-5", PROMPT),
    "goose": ("run", "--no-session", "--no-profile", "-q", "-t", PROMPT),
    "opencode": ("run", PROMPT),
    "pi": ("-p", "--no-session", "--provider", "openai", "--model", "gpt-5", PROMPT),
}


class Bench:
    """One installation whose model is scripted, and whose vault holds the key for it."""

    def __init__(self, world: World, model: ModelProcess, upstream: UpstreamProcess, shell: Shell) -> None:
        self.world, self.model, self.upstream, self.shell = world, model, upstream, shell

    def words(self, agent: str) -> list[str]:
        return ["launch", "--sandbox", *OPTIONS.get(agent, ()), agent, "--", *ARGUMENTS[agent]]

    def arguments(self) -> dict[str, Any]:
        return {"url": f"{self.world.upstream}/item", "body": "{}"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("sandboxed")
    with (
        UpstreamProcess() as upstream,
        ModelProcess() as model,
        modelled(folder, upstream=upstream, model=model, key=KEY, **SHORTLY) as world,
    ):
        world.add_action("post-item")
        world.add_action("ask-first", approval=True)
        yield Bench(world, model, upstream, Shell(world, folder))


@pytest.mark.parametrize("agent", AGENTS)
def test_it_calls_an_action_and_the_model_hears_of_it_with_the_bound_key(bench: Bench, agent: str) -> None:
    bench.upstream.forget()
    bench.upstream.behave("/item", json={"status": SHIPPED})
    bench.model.script("post_item", **bench.arguments())
    ended = bench.shell.run(*bench.words(agent), seconds=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert SHIPPED in ended.stdout
    assert len(bench.upstream.seen("/item")) == 1
    assert "1 action run, 0 approvals asked for" in ended.stderr
    asked_with(bench.model, KEY)
    assert KEY not in ended.stdout + ended.stderr
    assert API_KEY not in ended.stdout + ended.stderr


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("decision", "told"), [("approve", SHIPPED), ("deny", "approval_denied")])
def test_it_follows_an_approval_to_its_end(bench: Bench, agent: str, decision: str, told: str) -> None:
    bench.upstream.forget()
    bench.upstream.behave("/item", json={"status": SHIPPED})
    bench.model.script("ask_first", **bench.arguments())
    process = bench.shell.start(*bench.words(agent))
    deadline = time.monotonic() + 90
    while not (items := bench.world.ok("GET", "/v1/approvals?state=pending")["items"]):
        assert time.monotonic() < deadline, "nothing was asked for"
        time.sleep(0.05)
    (item,) = items
    seen = engine()
    config = json.dumps(seen.inspect_container(f"aileron-{item['session']}"))
    seen.close()
    assert KEY not in config
    assert API_KEY not in config
    assert "ailt_" not in config
    bench.world.ok("POST", f"/v1/approvals/{item['id']}/{decision}", {})
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert told in out
    assert len(bench.upstream.seen("/item")) == (1 if decision == "approve" else 0)


def test_the_agents_leave_nothing_of_theirs_in_the_workspace(bench: Bench) -> None:
    left = [path for path in Path(bench.shell.workspace).rglob("*") if path.is_file()]
    assert all(b"ailt_" not in path.read_bytes() for path in left)
    assert left == []
