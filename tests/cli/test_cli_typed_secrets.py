"""A key that is pasted at the wrong place is neither shown nor repeated: at a real terminal, question by question."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import StandIn, StandInConnection
from cli.stand_in_server import StandInServer
from cli.terminals import Terminal
from cli.test_cli_credential_commands import BINDING, PLAN, plan

KEY = "sk-live-0123456789abcdef"
BASIC = plan(credential={**PLAN["credential"], "kind": "basic", "format": "Basic {secret}"})
ADD = ("binding", "add", "github://acme/slack")

pytestmark = pytest.mark.usefixtures("open_vault")


@pytest.fixture
def at_terminal(stand_in: StandIn, tmp_path: Path) -> Iterator[Any]:
    with StandInServer(stand_in.handle) as server:
        connection = StandInConnection(stand_in, server.url, tmp_path)
        yield lambda *arguments: Terminal(connection, arguments)


@pytest.mark.parametrize(
    ("shown", "typed", "code", "value"),
    [
        (PLAN, [("API key", KEY), ("[y/N]", "y")], 0, {"type": "api_key", "key": KEY}),
        (PLAN, [("API key", KEY), ("[y/N]", KEY)], 1, None),
        (BASIC, [("Password", "me"), ("User name", KEY), ("[y/N]", "n")], 1, None),
        (BASIC, [("Password", KEY), ("User name", KEY)], 2, None),
        (BASIC, [("Password", KEY), ("User name", "me"), ("[y/N]", KEY)], 1, None),
        (
            *(BASIC, [("Password", KEY), ("User name", "me"), ("[y/N]", "y")], 0),
            {"type": "basic", "username": "me", "password": KEY},
        ),
    ],
    ids=["right", "at the consent", "as the user name", "twice", "three times", "right, with a name"],
)
def test_a_key_pasted_at_any_question_is_not_on_the_screen(
    at_terminal: Any, stand_in: StandIn, shown: Any, typed: list[tuple[str, str]], code: int, value: Any
) -> None:
    stand_in.answers |= {"GET /v1/connectors/show": shown, "POST /v1/bindings": (201, BINDING)}
    terminal = at_terminal(*ADD)
    for question, answer in typed:
        terminal.until(question)
        terminal.types(f"{answer}\n")
    assert terminal.end() == code
    assert KEY not in terminal.screen
    assert [body["value"] for body in stand_in.bodies("POST /v1/bindings")] == ([] if value is None else [value])


def test_the_key_is_the_first_question(at_terminal: Any, stand_in: StandIn) -> None:
    stand_in.answers |= {"GET /v1/connectors/show": PLAN, "POST /v1/bindings": (201, BINDING)}
    terminal = at_terminal(*ADD)
    terminal.until("API key: ")
    assert "?" not in terminal.screen
    terminal.types("\x04")
    assert terminal.end() == 1
    assert "nothing was changed" in terminal.screen


def test_an_empty_entry_and_a_repeat_that_differs_are_asked_for_again(at_terminal: Any, stand_in: StandIn) -> None:
    stand_in.answers |= {"GET /v1/vault": {"state": "absent"}, "POST /v1/vault/create": {"state": "unlocked"}}
    terminal = at_terminal("vault", "init")
    for label, typed in (("phrase:", ""), ("phrase:", "a"), ("more:", "b"), ("phrase:", KEY), ("more:", KEY)):
        terminal.until(label)
        terminal.types(f"{typed}\n")
    assert terminal.end() == 0
    assert stand_in.bodies("POST /v1/vault/create") == [{"passphrase": KEY}]
    assert KEY not in terminal.screen


def test_after_three_empty_entries_the_command_ends_and_says_what_else_would_do(at_terminal: Any) -> None:
    terminal = at_terminal("secret", "add", "team/key")
    for _ in range(3):
        terminal.until("team/key:")
        terminal.types("\n")
    assert terminal.end() == 2
    assert "--value-file" in terminal.screen


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (ADD, "github://acme/slack"),
        (("secret", "add", "team/key"), "team/key"),
        (("server", "add", "files", "--env", "TOKEN", "--", "true"), "TOKEN"),
    ],
    ids=["binding add", "secret add", "server add"],
)
def test_a_vault_that_would_not_take_a_secret_is_said_before_anybody_types_it(
    at_terminal: Any, stand_in: StandIn, line: tuple[str, ...], what: str
) -> None:
    stand_in.answers |= {"GET /v1/connectors/show": PLAN, "GET /v1/vault": {"state": "locked"}}
    terminal = at_terminal(*line)
    assert terminal.end() == 77
    assert f"{what} cannot be stored: the vault is locked" in terminal.screen
    assert "aileron vault unlock" in terminal.screen


def test_a_credential_that_is_there_is_said_before_another_is_asked_for(at_terminal: Any, stand_in: StandIn) -> None:
    there = {"name": "api_key/slack/default", "kind": "api_key", "identity": "default"}
    there |= {"connectors": {"github://acme/slack": ["slack.com:443"]}}
    stand_in.answers |= {"GET /v1/connectors/show": PLAN, "GET /v1/bindings": {"items": [there]}}
    terminal = at_terminal(*ADD)
    assert terminal.end() == 1
    assert "api_key/slack/default is set up already" in terminal.screen
    assert "--replace" in terminal.screen
    assert "API key" not in terminal.screen
    for further in (("--replace",), ("--identity", "work")):
        terminal = at_terminal(*ADD, *further)
        terminal.until("API key: ")
        terminal.types("\x03")
        assert terminal.end() == 130


def test_a_question_that_is_left_by_ctrl_c_ends_its_line(at_terminal: Any) -> None:
    terminal = at_terminal("secret", "add", "team/key")
    terminal.until("team/key: ")
    terminal.types("\x03")
    assert terminal.end() == 130
    assert terminal.screen.endswith("\r\n")


@pytest.mark.parametrize(
    "line",
    [
        (*ADD, KEY),
        (*ADD, f"--{KEY}"),
        (*ADD, f"--key={KEY}"),
        (*ADD, "--yes", "--value-file", KEY),
        (*ADD, f"--value-file={KEY}", "--yes"),
        (*ADD, "--yes", "--from-secret", KEY),
        ("secret", "add", "team/key", KEY),
        ("secret", "add", "team/key", "--value", KEY),
        ("secret", "add", "team/key", "--value-file", KEY),
        ("secret", "add", f"team/key={KEY}"),
        ("secret", "add", f"team/key {KEY}"),
        ("server", "add", "far", "--url", "https://far.example/", "--header", f"Authorization Bearer {KEY}"),
        ("server", "add", "far", "--env", f"TOKEN: {KEY}", "--", "run"),
        ("server", "add", "far", "--url", "https://far.example/", "--header", "Authorization:", KEY),
        ("vault", "unlock", KEY),
        ("vault", "unlock", "--passphrase-file", KEY),
        ("vault", "init", KEY),
        ("vault", "passwd", KEY, KEY),
    ],
    ids=lambda line: " ".join(line).replace(KEY, "KEY"),
)
def test_a_key_on_the_line_is_not_repeated_and_the_message_says_where_it_belongs(
    cli: Any, stand_in: StandIn, line: tuple[str, ...]
) -> None:
    stand_in.answers |= {"GET /v1/connectors/show": PLAN}
    stand_in.answers |= {"GET /v1/vault": {"state": "absent" if "init" in line else "locked"}}
    stand_in.answers["POST /v1/bindings"] = (404, {"error": {"class": "not_found", "message": "no such secret"}})
    for form in (line, (*line, "--json")):
        ended = cli(*form, stdin=io.StringIO().read())
        assert ended.code in (1, 2)
        assert KEY not in ended.out + ended.err
        assert any(
            word in ended.err for word in ("file", "no such secret", "and not shown", "quotation marks", "two dashes")
        )


def test_a_line_that_lacks_something_still_says_what(cli: Any) -> None:
    assert "Missing argument 'NAME'" in cli("secret", "add").err
    assert "Missing argument 'CONNECTOR'" in cli("binding", "add", "--identity", "a").err
    assert "'--value-file' requires an argument" in cli("secret", "add", "a", "--value-file").err
