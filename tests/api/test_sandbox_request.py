"""The door checks what a launch asks for by the rules of the value itself, and publishes the same rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from world import World

from daemon.core.launch_request import LaunchRequest

NO_ENGINE = '[sandbox]\ndocker_socket = "/nowhere/docker.sock"\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Offer a running installation without an engine."""
    folder = tmp_path_factory.mktemp("asked")
    with UpstreamProcess() as upstream, World(folder, upstream=upstream.url, settings=NO_ENGINE) as made:
        made.start()
        yield made


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"privileged": True}, "'privileged' is unknown"),
        ({"network": "host"}, "network must be one of internal, open"),
        ({"workspace": "here"}, "workspace must match"),
        ({"owner_pid": "1"}, "owner_pid must be a whole number"),
    ],
)
def test_a_launch_with_a_field_that_is_wrong_is_a_clear_400(
    world: World, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    answer = world.control("POST", "/v1/sandboxes", {"agent": "codex", "workspace": str(tmp_path)} | changed)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["class"] == "invalid_arguments"
    assert said in error["message"]


def test_a_body_that_is_no_object_is_a_clear_400(world: World) -> None:
    for body in ([], "codex", None, 1):
        answer = world.control("POST", "/v1/sandboxes", body)
        assert answer.status_code == 400
        assert answer.json()["error"]["class"] == "invalid_arguments"


def test_the_description_of_a_launch_is_that_of_the_value(world: World) -> None:
    operation = world.ok("GET", "/openapi.json")["paths"]["/v1/sandboxes"]["post"]
    published = operation["requestBody"]["content"]["application/json"]["schema"]
    assert operation["requestBody"]["required"]
    assert {name: published[name] for name in LaunchRequest.json_schema()} == LaunchRequest.json_schema()
