"""Both APIs under Schemathesis, with every kind of token: no 5xx, and no answer that the description does not have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from services.upstream import UpstreamProcess
from world import World

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STREAMS = {"agent_events", "approval_events"}
STOPS = {"stop"}
CONTROL_TOKENS = ("master", "browser", "session", "garbage", "none")
AGENT_TOKENS = ("session", "list only", "ended", "master", "garbage", "none")


NO_ENGINE = '[sandbox]\ndocker_socket = "/nowhere/docker.sock"\n'
"""Or the fuzzing would build and remove the images of whoever runs it."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Offer a running installation with something of everything in it."""
    with (
        UpstreamProcess() as upstream,
        World(tmp_path_factory.mktemp("api"), upstream=upstream.url, settings=NO_ENGINE) as made,
    ):
        made.start()
        made.set_up()
        made.add_action("ship", approval=True)
        made.add_action("read", op="get_json", inputs={"url": "${args.url}"})
        yield made


@pytest.fixture(scope="module")
def credentials(world: World) -> dict[str, dict[str, str]]:
    """Offer the headers of every kind of caller."""
    ended_id, ended = world.session()
    world.ok("POST", f"/v1/sessions/{ended_id}/end")
    link = world.ok("POST", "/v1/browser-logins", {"next": "/"})["url"]
    cookie = world._client.get(link, follow_redirects=False).headers["set-cookie"].split(";")[0]
    world._client.cookies.clear()
    bearer = "Bearer {}".format
    return {
        "master": {"Authorization": bearer(world.discovery["token"])},
        "browser": {"Cookie": cookie},
        "session": {"Authorization": bearer(world.session()[1])},
        "list only": {"Authorization": bearer(world.session(capabilities=["actions:list"])[1])},
        "ended": {"Authorization": bearer(ended)},
        "garbage": {"Authorization": bearer("ailt_bm9uc2Vuc2U.bm9uc2Vuc2U")},
        "none": {},
    }


Cases = dict[str, list[schemathesis.Case]]


def generated(document: dict[str, Any]) -> Cases:
    """Return calls of every operation with generated data, well-formed and not: the same ones whoever calls."""
    cases: Cases = {}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if operation.definition.raw.get("operationId") in STREAMS | STOPS:
            continue
        drawn = cases[operation.label] = []
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            drawn += _draw(operation.as_strategy(generation_mode=mode))
        assert drawn, f"nothing was generated for {operation.label}"
    return cases


def _draw(strategy: Any) -> list[schemathesis.Case]:
    drawn = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def draw(case: schemathesis.Case) -> None:
        if isinstance(case.query, dict):
            case.query.pop("wait", None)  # a poll that is asked to wait does, and says nothing new
        drawn.append(case)

    try:
        draw()
    except Exception as problem:
        # An operation without parameters has no malformed form.
        if type(problem).__name__ not in {"Unsatisfiable", "InvalidArgument"}:
            raise
    return drawn


def exercise(cases: Cases, base_url: str, headers: dict[str, str]) -> None:
    """Make every call as one caller; each answer is one that the description has."""
    for drawn in cases.values():
        for case in drawn:
            response = case.call(base_url=base_url, headers=headers, timeout=30)
            case.validate_response(response, checks=CHECKS)


@pytest.fixture(scope="module")
def control_cases(world: World) -> Cases:
    """Offer the calls of the control API."""
    return generated(world.ok("GET", "/openapi.json"))


@pytest.fixture(scope="module")
def agent_cases(world: World, credentials: dict[str, dict[str, str]]) -> Cases:
    """Offer the calls of the agent API."""
    return generated(world._client.get(world.agent_url + "/openapi.json", headers=credentials["session"]).json())


@pytest.mark.slow
@pytest.mark.parametrize("caller", CONTROL_TOKENS)
def test_the_control_api_answers_as_described(
    world: World, credentials: dict[str, dict[str, str]], control_cases: Cases, caller: str
) -> None:
    assert len(control_cases) > 35
    exercise(control_cases, world.control_url, credentials[caller])
    assert world.verify()["ok"]


@pytest.mark.slow
@pytest.mark.parametrize("caller", AGENT_TOKENS)
def test_the_agent_api_answers_as_described(
    world: World, credentials: dict[str, dict[str, str]], agent_cases: Cases, caller: str
) -> None:
    assert len(agent_cases) == 8
    exercise(agent_cases, world.agent_url, credentials[caller])


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(world: World) -> None:
    big = b"x" * (5 * 1024 * 1024)
    url = world.control_url + "/v1/actions/check"
    master = {"Authorization": f"Bearer {world.discovery['token']}", "Content-Type": "application/json"}
    declared = world._client.post(url, content=big, headers=master)
    chunked = world._client.post(url, content=iter([big[:1_000_000]] * 6), headers=master)
    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert declared.json()["error"]["class"] == "invalid_arguments"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"arguments": 1}', b"[" * 100_000])
def test_a_malformed_run_is_a_clear_400(world: World, credentials: dict[str, dict[str, str]], body: bytes) -> None:
    url = world.agent_url + "/v1/actions/ship/run"
    answer = world._client.post(url, content=body, headers=credentials["session"])
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["class"] == "invalid_arguments"


def test_a_wrong_method_says_which_would_be_right(world: World, credentials: dict[str, dict[str, str]]) -> None:
    answer = world._client.delete(world.agent_url + "/v1/actions/ship/run", headers=credentials["session"])
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


def test_the_tool_list_has_a_tag_that_changes_with_it(world: World, credentials: dict[str, dict[str, str]]) -> None:
    url = world.agent_url + "/v1/actions"
    first = world._client.get(url, headers=credentials["session"])
    tagged = credentials["session"] | {"If-None-Match": first.headers["etag"]}
    assert world._client.get(url, headers=tagged).status_code == 304
    path: Path = world.add_action("another", op="get_json", inputs={"url": "${args.url}"})
    assert world._client.get(url, headers=tagged).status_code == 200
    path.unlink()
