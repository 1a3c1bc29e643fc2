"""With a model key in the vault an agent needs none: the key is nowhere the agent could look, and the model gets it."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents.runners import Bench
from agents.test_agent_matrix import SHIPPED, arguments, pytestmark  # noqa: F401 - the same marks
from modelled import asked_with, modelled
from services.model_server import ModelProcess
from services.upstream import UpstreamProcess

KEY = "sk-sentinel-90b2-model-key"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("keyless")
    with UpstreamProcess() as upstream, ModelProcess() as model:
        upstream.behave("/item", json={"status": SHIPPED})
        with modelled(folder, upstream=upstream, model=model, key=KEY) as world:
            world.add_action("post-item")
            yield Bench(folder, world, model, keyless=True)


@pytest.mark.parametrize("agent", ["claude", "codex", "goose", "opencode", "pi"])
def test_a_bound_key_reaches_the_model_and_never_the_agent(bench: Bench, agent: str) -> None:
    bench.model.script("post_item", **arguments(bench))
    process = bench.start(agent)
    seen: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for place in Path("/proc").glob("[0-9]*"):
                for name in ("environ", "cmdline"):
                    try:
                        content = (place / name).read_bytes()
                    except OSError:
                        continue
                    if str(bench.home(agent)).encode() in content or os.fsencode(agent) in content:
                        seen.append(content)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        ended = bench.finish(process)
    finally:
        stop.set()
        watching.join(10)
    assert ended.code == 0, ended.err
    assert SHIPPED in ended.out
    asked_with(bench.model, KEY)
    assert seen
    assert all(KEY.encode() not in content for content in seen)
    assert KEY not in ended.out + ended.err
    for path in bench.home(agent).rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert KEY.encode() not in path.read_bytes(), path
    deadline = time.monotonic() + 10
    while not bench.world.events(type="gateway.request"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("agent", "requests"),
    # Goose and opencode ask for a title beside.
    [("claude", 1), ("codex", 1), ("goose", 2), ("opencode", 2), ("pi", 1)],
)
def test_no_agent_repeats_what_a_locked_vault_refuses_and_what_it_prints_holds_no_token(
    bench: Bench, agent: str, requests: int
) -> None:
    bench.world.ok("POST", "/v1/vault/lock", {})
    bench.model.script("post_item", **arguments(bench))
    before = len(refused(bench))
    try:
        ended = bench.finish(bench.start(agent))
    finally:
        bench.world.unlock()
    assert bench.model.seen == [] or all(request["method"] != "POST" for request in bench.model.seen)
    said = ended.out + ended.err
    assert "aileron vault unlock" in said, said
    assert 1 <= len(refused(bench)) - before <= requests
    assert "ailt_" not in said, said
    for path in bench.home(agent).rglob("*"):  # logs of its own
        if path.is_file() and not path.is_symlink():
            assert b"/llm/ailt_" not in path.read_bytes(), path


def refused(bench: Bench) -> list[str]:
    """Return the model requests that were refused, each of which the log names."""
    events = bench.world.events(type="gateway.failed", limit=10_000)
    return [event["id"] for event in events if event["payload"]["http.request.method"] == "POST"]


@pytest.mark.parametrize("agent", ["claude", "codex", "goose", "opencode", "pi"])
def test_a_key_of_the_persons_own_goes_through_the_gateway_as_it_is(bench: Bench, agent: str) -> None:
    own = "sk-ant-my-own-key"
    before = len(bench.world.events(type="gateway.request", limit=10_000))
    bench.model.script("post_item", **arguments(bench))
    names = {"claude": "ANTHROPIC_API_KEY", "opencode": "ANTHROPIC_API_KEY", "codex": "CODEX_API_KEY"}
    ended = bench.finish(bench.start(agent, **{names.get(agent, "OPENAI_API_KEY"): own}))
    assert ended.code == 0, ended.err
    assert SHIPPED in ended.out
    asked = [request for request in bench.model.seen if request["method"] == "POST"]
    assert asked
    for request in asked:
        headers = {name.lower(): value for name, value in request["headers"].items()}
        assert own in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer "))
        assert "ailt_" not in str(request)
        assert "x-aileron-token" not in headers
    deadline = time.monotonic() + 10
    while len(bench.world.events(type="gateway.request", limit=10_000)) < before + len(asked):
        assert time.monotonic() < deadline
        time.sleep(0.05)
