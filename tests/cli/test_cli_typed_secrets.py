"""A key that is pasted at the wrong place is neither shown nor repeated: at a real terminal, question by question."""

import io
import os
import pty
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import StandIn, StandInConnection
from cli.stand_in_server import StandInServer
from cli.test_cli_credential_commands import BINDING, PLAN, plan

from daemon.cli.invocation import Invocation
from daemon.cli.main import run
from daemon.cli.prompts import Prompts
from daemon.cli.rendering import Output

KEY = "sk-live-0123456789abcdef"
BASIC = plan(credential={**PLAN["credential"], "kind": "basic", "format": "Basic {secret}"})
ADD = ("binding", "add", "github://acme/slack")
_SECONDS = 30


class Terminal:
    """A command at a terminal of its own, and what stood on the screen."""

    def __init__(self, stand_in: StandIn, url: str, home: Path, arguments: tuple[str, ...]) -> None:
        self.screen = ""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            code = 99
            try:
                output = Output(out=open(1, "w"), err=open(2, "w"), environ={"TERM": "dumb"})  # noqa: SIM115
                prompts = Prompts(stdin=open(0), output=output, environ={})  # noqa: SIM115
                connection = StandInConnection(stand_in, url, home)
                code = run(arguments, Invocation(output=output, prompts=prompts, connection=connection, environ={}))
            finally:
                os._exit(code)

    def until(self, text: str) -> None:
        """Wait until something stands on the screen that did not before."""
        deadline = time.monotonic() + _SECONDS
        seen = len(self.screen)
        while text not in self.screen[seen:]:
            assert time.monotonic() < deadline, self.screen
            if not self._read():
                raise AssertionError(f"ended before {text!r}: {self.screen}")

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        while self._read():
            pass
        os.close(self._master)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._master], [], [], _SECONDS)[0]:
            raise AssertionError(f"nothing came any more: {self.screen}")
        try:
            piece = os.read(self._master, 4096)
        except OSError:
            return False
        self.screen += piece.decode()
        return bool(piece)


@pytest.fixture
def at_terminal(stand_in: StandIn, tmp_path: Path) -> Iterator[Any]:
    with StandInServer(stand_in.handle) as server:
        yield lambda *arguments: Terminal(stand_in, server.url, tmp_path, arguments)


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
        assert "file" in ended.err or "no such secret" in ended.err


def test_a_line_that_lacks_something_still_says_what(cli: Any) -> None:
    assert "Missing argument 'NAME'" in cli("secret", "add").err
    assert "Missing argument 'CONNECTOR'" in cli("binding", "add", "--identity", "a").err
    assert "'--value-file' requires an argument" in cli("secret", "add", "a", "--value-file").err
