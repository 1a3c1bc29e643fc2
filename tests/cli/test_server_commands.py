"""`aileron server add`: what goes to the vault, what stands in the file, and what is refused beforehand."""

from typing import Any

import pytest
from cli.conftest import StandIn

ADDED = (201, {"name": "far", "state": "stopped", "secrets": []})
OPEN = {"state": "unlocked"}
TOKEN = "ghp_0123456789abcdefghijkl"


def prepared(stand_in: StandIn, vault: Any = OPEN) -> StandIn:
    stand_in.answers |= {"POST /v1/servers": ADDED, "GET /v1/vault": vault, "PUT /v1/secrets": (204, None)}
    return stand_in


def add(cli: Any, *words: str) -> Any:
    return cli("server", "add", "far", "--no-test", *words)


def test_a_value_that_looks_like_a_secret_goes_to_the_vault_and_its_scheme_stays(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    ended = add(
        cli, "--url", "https://far.example/mcp", "--header", f"Authorization=Bearer {TOKEN}", "--header", "X-A=b"
    )
    assert ended.code == 0, ended.err
    assert TOKEN not in ended.out + ended.err
    [body] = stand_in.bodies("POST /v1/servers")
    assert body["headers"] == {"Authorization": "Bearer vault://secrets/far/authorization", "X-A": "b"}
    assert stand_in.bodies("PUT /v1/secrets") == [{"name": "far/authorization", "value": TOKEN}]


@pytest.mark.parametrize(("typed", "stored"), [("\n", True), ("y\n", True), ("n\n", False)])
def test_at_a_terminal_a_person_is_asked_and_the_vault_is_the_usual_answer(
    cli: Any, stand_in: StandIn, typed: str, stored: bool
) -> None:
    prepared(stand_in)
    words = ("server", "add", "far", "--no-test", "--env", f"TOKEN={TOKEN}", "--", "run")
    ended = cli(*words, terminal=True, stdin=typed)
    assert ended.code == 0, ended.err
    assert "TOKEN looks like a secret" in ended.err
    [body] = stand_in.bodies("POST /v1/servers")
    assert (body["env"]["TOKEN"] == "vault://secrets/far/token") is stored
    assert bool(stand_in.bodies("PUT /v1/secrets")) is stored


def test_with_plain_nothing_goes_to_the_vault(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    assert add(cli, "--plain", "--env", f"TOKEN={TOKEN}", "--", "run", "-y").code == 0
    [body] = stand_in.bodies("POST /v1/servers")
    assert (body["env"], body["command"]) == ({"TOKEN": TOKEN}, ["run", "-y"])
    assert stand_in.bodies("PUT /v1/secrets") == []


def test_a_server_that_is_refused_replaces_no_secret(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in).answers["POST /v1/servers"] = (400, {"error": {"class": "invalid_arguments", "message": "no"}})
    assert add(cli, "--env", f"TOKEN={TOKEN}", "--", "run").code == 1
    assert stand_in.bodies("PUT /v1/secrets") == []


def test_with_a_locked_vault_nothing_is_added(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in, {"state": "locked"})
    ended = add(cli, "--env", f"TOKEN={TOKEN}", "--", "run")
    assert (ended.code, stand_in.bodies("POST /v1/servers")) == (77, [])
    assert "aileron vault unlock" in ended.err
    assert TOKEN not in ended.err


def test_a_line_that_means_nothing_is_refused_without_repeating_its_values(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    for words in (
        (),
        ("--url", "https://far.example/", "--", "run"),
        ("--url", "https://far.example/", "--env", f"TOKEN={TOKEN}"),
        ("--header", f"X={TOKEN}", "--", "run"),
        ("--env", f"TOKEN={TOKEN}", "--env", "TOKEN=b", "--", "run"),
        ("--env", "TOKEN", "--", "run"),
        ("--wrong", TOKEN, "--", "run"),
    ):
        ended = add(cli, *words)
        assert ended.code == 2, words
        assert TOKEN not in ended.err
    assert stand_in.bodies("POST /v1/servers") == []
