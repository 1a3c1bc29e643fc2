"""A wrong id is answered with what is not there, on every route of both APIs that takes one."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from services.upstream import UpstreamProcess
from world import World

from daemon.core.failures import NO_SUCH_PATH

AGENT_ROUTES = {
    "/v1/action-approvals/{approval_id}/result": "get",
    "/v1/actions/{name}/run": "post",
    "/v1/tools/{name}/call": "post",
    "/v1/tool-questions/{question_id}/answer": "post",
}
NOUNS = {
    "action-approvals": "approval",
    "actions": "action",
    "approvals": "approval",
    "audit": "event",
    "providers": "model provider",
    "questions": "question",
    "sandboxes": "sandbox",
    "servers": "server",
    "sessions": "session",
    "tool-questions": "open question",
    "tools": "tool",
    "workspaces": "session",
}
BODIES: dict[str, Any] = {
    "reply": {"url": "http://127.0.0.1/callback?code=x"},
    "execs": {"command": ["true"]},
    "size": {"columns": 80, "rows": 24},
    "signal": {"signal": "SIGINT"},
    "file": {"path": "a"},
    "answer": {"action": "decline"},
    "land": {"plan": "none"},
    "review": {"digests": ["none"]},
}
OTHER_KINDS = {
    "ses_": "a session",
    "apr_": "an approval",
    "aud_": "an event",
    "qst_": "a question",
}
UUID = "01a215f9-6bba-7600-9e29-51b21ac24331"
NOWHERE = (
    "nonsense",
    "a/b",
    "../status",
    "x" * 150,
    "x" * 500,
    "a b",
    "ü\u202e",
    "apr\0",
    "apr_01a215f9",
    f"apr_{UUID}",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        UpstreamProcess() as upstream,
        World(tmp_path_factory.mktemp("wrong-ids"), upstream=upstream.url) as made,
    ):
        made.start()
        made.set_up()
        made.add_action("ask-first", approval=True)
        yield made


def routes(world: World) -> list[tuple[str, str]]:
    paths = world.ok("GET", "/openapi.json")["paths"]
    found = [(method, path) for path, methods in paths.items() for method in methods if "{" in path]
    assert len(found) > 20
    return found


def filled(path: str, text: str) -> str:
    return re.sub(r"\{[a-z_]+\}", lambda _: quote(text, safe=""), path)


def test_every_route_of_the_control_api_says_which_thing_is_not_there(world: World) -> None:
    for method, path in routes(world):
        noun = "program in this sandbox" if "{exec_id}" in path else NOUNS[path.split("/")[2]]
        body = BODIES.get(path.rsplit("/", 1)[1], {}) if method != "get" else None
        for text in NOWHERE:
            answer = world.control(method.upper(), filled(path, text), body)
            assert answer.status_code == 404, (method, path, text, answer.text)
            error = answer.json()["error"]
            assert error["class"] == "not_found"
            assert f" {noun} " in error["message"] or "{exec_id}" in path, (method, path, text, error["message"])
            assert "no such path" not in error["message"]
            assert "\u202e" not in error["message"]
            assert len(error["message"]) < 250


def test_a_path_that_no_route_has_is_answered_as_the_command_line_expects_of_another_version(world: World) -> None:
    answer = world.control("GET", "/v1/what-comes-later")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, NO_SUCH_PATH)


def test_an_id_of_another_kind_is_named_as_what_it_is(world: World) -> None:
    for method, path in routes(world):
        parameter = path.split("{")[1].split("}")[0]
        own = {"approval_id": "apr_", "event_id": "aud_", "session_id": "ses_", "sandbox_id": "ses_"}.get(parameter)
        if own is None or "{exec_id}" in path:
            continue
        body = BODIES.get(path.rsplit("/", 1)[1], {}) if method != "get" else None
        for prefix, kind in OTHER_KINDS.items():
            message = world.control(method.upper(), filled(path, prefix + UUID), body).json()["error"]["message"]
            assert (f"that is the id of {kind}" in message) == (prefix != own), (method, path, message)


def test_an_agent_is_told_the_same_of_what_is_not_there_and_of_what_is_anothers(world: World) -> None:
    _, mine = world.session()
    session, theirs = world.session()
    body = {"arguments": {"url": f"{world.upstream}/item", "body": "{}"}}
    approval = world.agent("POST", "/v1/actions/ask-first/run", body, token=theirs).json()["approval_id"]
    path = "/v1/action-approvals/{approval_id}/result"
    said = {
        text: world.agent("GET", filled(path, text), token=mine).json()["error"]["message"].replace(text, "ID")
        for text in (approval, f"apr_{UUID}")
    }
    assert len(set(said.values())) == 1
    assert "approval list" not in said[approval]  # an agent has no such command
    assert "approval_id" in said[approval]
    assert world.agent("GET", filled(path, approval), token=theirs).status_code == 200
    assert "that is the id of a session" in world.agent("GET", filled(path, session), token=mine).text


@pytest.mark.parametrize("path", AGENT_ROUTES)
def test_every_route_of_the_agent_api_says_which_thing_is_not_there(world: World, path: str) -> None:
    noun = NOUNS[path.split("/")[2]]
    for text in (*NOWHERE, ""):
        method = AGENT_ROUTES[path].upper()
        answer = world.agent(method, filled(path, text), {} if method == "POST" else None, token=world.session()[1])
        assert answer.status_code == 404, (path, text, answer.text)
        error = answer.json()["error"]
        assert f" {noun} " in error["message"] or f" {noun} is" in error["message"], (path, text, error["message"])
