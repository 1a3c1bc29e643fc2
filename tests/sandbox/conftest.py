"""Sandboxes in a real engine: images are built once for all tests, and after each test nothing of ours is left."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.engine import SHORTLY, Shell, left_behind
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.docker


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Build the image of every agent; return their tags."""
    folder = tmp_path_factory.mktemp("images")
    with UpstreamProcess() as upstream, World(folder, upstream=upstream.url, **SHORTLY) as world:
        world.start()
        shell = Shell(world, folder)
        tags = {}
        for agent in ("codex", "claude", "goose", "opencode", "pi"):
            built = shell.run("sandbox", "build", agent, "--json", seconds=900)
            assert built.returncode == 0, built.stderr
            tags[agent] = json.loads(built.stdout)["tag"]
        world.stop()
        yield tags


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamProcess]:
    """Offer the service that actions call."""
    with UpstreamProcess() as started:
        started.behave("/item", json={"ok": True})
        yield started


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, upstream: UpstreamProcess, images: dict[str, str]
) -> Iterator[World]:
    """Offer a running installation with actions."""
    with World(tmp_path_factory.mktemp("world"), upstream=upstream.url, **SHORTLY) as made:
        made.start()
        made.set_up()
        made.add_action("post-item")
        made.add_action("ask-first", approval=True)
        yield made


@pytest.fixture
def shell(world: World, tmp_path: Path) -> Shell:
    """Offer the command line, in a workspace of an ordinary user."""
    return Shell(world, tmp_path)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Look at the engine after each test."""
    yield
    deadline = time.monotonic() + 20
    while found := left_behind():
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
