"""`aileron server add`: what goes to the vault, what stands in the file, and what is refused beforehand."""

from pathlib import Path
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


def test_a_header_may_be_written_with_a_colon_as_everywhere_else(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    headers = ("--header", f"Authorization: Bearer {TOKEN}", "--header", "X-Url=http://a:1/")
    ended = add(cli, "--url", "https://far.example/mcp", *headers)
    assert ended.code == 0, ended.err
    assert TOKEN not in ended.out + ended.err
    [body] = stand_in.bodies("POST /v1/servers")
    assert body["headers"] == {"Authorization": "Bearer vault://secrets/far/authorization", "X-Url": "http://a:1/"}
    assert stand_in.bodies("PUT /v1/secrets") == [{"name": "far/authorization", "value": TOKEN}]


def test_what_hinders_a_new_server_is_said_with_what_mends_it(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    line = ("server", "add", "far", "--", "run")
    for failure, mends in (("vault_locked", False), ("network_error", True)):
        stand_in.answers["POST /v1/servers/far/test"] = (409, {"error": {"class": failure, "message": "Why."}})
        ended = cli(*line)
        assert ended.code == 0
        assert ("Mend its entry in servers.yaml" in ended.err) is mends
        assert "aileron server test far" in ended.err


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


def test_a_server_whose_secret_is_refused_does_not_stay(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in).answers["PUT /v1/secrets"] = (400, {"error": {"class": "invalid_arguments", "message": "no"}})
    stand_in.answers["DELETE /v1/servers/far"] = {}
    assert add(cli, "--env", f"TOKEN={TOKEN}", "--", "run").code == 1
    assert [request.method for request in stand_in.requests if request.url.path == "/v1/servers/far"] == ["DELETE"]


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
        ("--env", f"TOKEN: {TOKEN}", "--", "run"),
        ("--env", f"={TOKEN}", "--", "run"),
        ("--url", "https://far.example/", "--header", f"A B: {TOKEN}"),
        ("--wrong", TOKEN, "--", "run"),
    ):
        ended = add(cli, *words)
        assert ended.code == 2, words
        assert TOKEN not in ended.err
    assert stand_in.bodies("POST /v1/servers") == []


def refused(cli: Any, stand_in: StandIn, *words: str) -> str:
    ended = cli("server", "add", *words)
    assert ended.code == 2, words
    assert not any(word in ended.err for word in words if TOKEN in word), "a token may stand on the line"
    assert stand_in.bodies("POST /v1/servers") == []
    return str(ended.err)


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (("far", "--", "--url", f"https://far.example/?key={TOKEN}"), "aileron server add NAME --url URL"),
        (("far", "--", f"--url=https://far.example/?key={TOKEN}"), "aileron server add NAME --url URL"),
        (("far", "--", "--header", f"A={TOKEN}"), "aileron server add NAME --url URL --header HEADER"),
        (("far", "--", "--env", f"A={TOKEN}", "run"), "aileron server add NAME --env VARIABLE -- npx -y PACKAGE"),
        (("far", "--", "--no-test", "run"), "aileron server add NAME --no-test -- npx -y PACKAGE"),
        (("far", "--", "-y", "package"), "aileron server add NAME -- npx -y PACKAGE"),
        (("far", "npx", "-y", "package"), "aileron server add NAME -- npx -y PACKAGE"),
        (("far", "docker", "run", "--env", "A=b", "image"), "aileron server add NAME --env VARIABLE -- npx -y PACKAGE"),
        (("far", "--", "npx -y package"), "aileron server add NAME -- npx -y PACKAGE"),
        (("far", "--", "/usr/bin/env npx -y package"), "aileron server add NAME -- npx -y PACKAGE"),
        (("far", "--", " "), "aileron server add NAME -- npx -y PACKAGE"),
        (("far", "--", f"https://far.example/?key={TOKEN}"), "aileron server add NAME --url URL"),
        (("far", f"https://far.example/?key={TOKEN}"), "aileron server add NAME --url URL"),
        ((f"https://far.example/?key={TOKEN}",), "aileron server add NAME --url URL"),
    ],
)
def test_a_line_in_the_wrong_order_is_refused_with_the_right_one(
    cli: Any, stand_in: StandIn, words: tuple[str, ...], order: str
) -> None:
    assert f"{order}\n" in refused(cli, prepared(stand_in), *words)


def test_a_program_with_a_space_in_its_name_and_options_of_a_command_stay_as_they_are(
    cli: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    program = tmp_path / "my tools" / "server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    prepared(stand_in)
    for command in ([str(program), "--url", "https://far.example/"], ["later", "--env", "A=b", "--no-test"]):
        ended = add(cli, "--", *command)
        assert ended.code == 0
        assert ("--no-test stands behind the two dashes" in ended.err) is ("--no-test" in command)
        assert stand_in.bodies("POST /v1/servers")[-1]["command"] == command


def test_a_mistyped_option_is_told_apart_from_forgotten_dashes(cli: Any, stand_in: StandIn) -> None:
    said = refused(cli, prepared(stand_in), "far", "--hedaer", f"A={TOKEN}", "--url", "https://far.example/")
    assert "Did you mean --header?" in said
    assert "two dashes" not in said


def test_a_path_that_counts_from_another_folder_than_the_servers_is_refused(
    cli: Any, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.py").touch()
    monkeypatch.chdir(tmp_path)
    for words in (("files", "."), ("./run",), ("python3", "server.py"), ("node", "../build/index.js")):
        assert "--folder ." in refused(cli, prepared(stand_in), "far", "--", *words)
    assert add(cli, "--folder", ".", "--", "files", ".").code == 0
    [body] = stand_in.bodies("POST /v1/servers")
    assert (body["command"], body["folder"]) == (["files", "."], str(tmp_path.resolve()))


def test_secrets_in_the_command_and_in_the_url_go_to_the_vault(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    digest = f"image@sha256:{'0123456789abcdef' * 4}"
    ended = add(cli, "--", "run", "--api-key", TOKEN, "--password=abc", digest)
    assert (ended.code, "every user of this machine" in ended.err) == (0, True)
    assert add(cli, "--url", f"https://far.example/mcp?team=a&api_key={TOKEN}").code == 0
    local, remote = stand_in.bodies("POST /v1/servers")
    assert local["command"] == [
        "run",
        "--api-key",
        "vault://secrets/far/api-key",
        "--password=vault://secrets/far/password",
        digest,
    ]
    assert local["unsafe_args"] is True
    assert remote["url"] == "https://far.example/mcp?team=a&api_key=vault://secrets/far/api_key"
    stored = {body["name"]: body["value"] for body in stand_in.bodies("PUT /v1/secrets")}
    assert stored == {"far/api-key": TOKEN, "far/password": "abc", "far/api_key": TOKEN}


def test_with_plain_a_command_and_a_url_stay_as_they_were_typed(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    url = f"https://far.example/mcp?api_key={TOKEN}"
    assert add(cli, "--plain", "--", "run", "--api-key", TOKEN).code == 0
    assert add(cli, "--plain", "--url", url).code == 0
    local, remote = stand_in.bodies("POST /v1/servers")
    assert (local["command"], local["unsafe_args"]) == (["run", "--api-key", TOKEN], False)
    assert (remote["url"], stand_in.bodies("PUT /v1/secrets")) == (url, [])


def test_where_nothing_was_written_logs_say_what_went_wrong(cli: Any, stand_in: StandIn) -> None:
    stand_in.answers["GET /v1/servers/far"] = {"mode": "local", "error": "there is no such program"}
    said = cli("server", "logs", "far").err
    assert "has not written anything yet" in said
    assert "there is no such program" in said
    stand_in.answers["GET /v1/servers/far"] = {"mode": "remote", "error": None}
    assert "aileron server show far" in cli("server", "logs", "far").err


def test_a_restore_of_what_was_never_imported_says_which_names_there_are(cli: Any) -> None:
    wrong = cli("server", "restore", "clod")
    assert (wrong.code, "Name one of claude" in wrong.err) == (2, True)
    nothing = cli("server", "restore", "codex")
    assert (nothing.code, nothing.out) == (0, "Nothing was imported from codex that could be given back.\n")


def test_two_values_whose_keys_become_one_name_are_two_secrets(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    assert add(cli, "--env", "KEY=aaaa", "--env", "key=bbbb", "--", "run").code == 0
    [body] = stand_in.bodies("POST /v1/servers")
    assert body["env"] == {"KEY": "vault://secrets/far/key", "key": "vault://secrets/far/key-2"}
    assert [each["value"] for each in stand_in.bodies("PUT /v1/secrets")] == ["aaaa", "bbbb"]


def test_a_secret_in_the_path_of_a_url_is_told_of(cli: Any, stand_in: StandIn) -> None:
    prepared(stand_in)
    ended = add(cli, "--url", f"https://far.example/{TOKEN}/mcp")
    assert (ended.code, "before the ?" in ended.err) == (0, True)
