"""A passphrase that is typed before it is asked for is not on the screen, and the terminal is afterwards as it was."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import StandIn, StandInConnection
from cli.stand_in_server import StandInServer
from cli.terminals import Terminal
from waiting import wait_until

from daemon.cli.client import ControlClient
from daemon.cli.failure import CliFailure

EARLY = "typed-too-early"
COMMANDS = (
    ("vault", "init"),
    ("vault", "unlock"),
    ("vault", "passwd"),
    ("secret", "add", "team/key"),
    ("binding", "add", "github://acme/slack"),
    ("server", "add", "files", "--env", "TOKEN", "--", "true"),
    ("server", "login", "files", "--paste"),
    ("launch", "claude"),
)


class SlowConnection(StandInConnection):
    """Leads to a daemon that takes as long to start as the test wants."""

    def open(self) -> ControlClient:
        while not (self._home / "started").exists():
            time.sleep(0.01)
        if (self._home / "started").read_text():
            raise CliFailure("it does not start")
        return super().open()


@pytest.fixture
def slowly(stand_in: StandIn, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Return a function that runs a command whose daemon starts when the file `started` is there."""
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho 2.1.0\n")
    program.chmod(0o700)
    stand_in.answers |= {
        "GET /v1/vault": {"state": "locked"},
        "POST /v1/vault/unlock": {"state": "unlocked"},
    }
    with StandInServer(stand_in.handle) as server:
        connection = SlowConnection(stand_in, server.url, tmp_path)
        yield lambda *words: Terminal(connection, words, {"TERM": "dumb", "PATH": str(tmp_path)})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_is_typed_while_the_daemon_starts_is_not_shown(slowly: Any, words: tuple[str, ...]) -> None:
    terminal = slowly(*words)
    wait_until(lambda: not terminal.echoes())
    terminal.types(EARLY)
    terminal.types("\x03")
    assert terminal.end() == 130
    assert EARLY not in terminal.screen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_terminal_shows_again_what_is_typed_when_a_signal_ends_the_command(slowly: Any, number: int) -> None:
    terminal = slowly("vault", "unlock")
    wait_until(lambda: not terminal.echoes())
    os.kill(terminal.pid, number)
    assert terminal.end() == -number


def test_what_was_typed_too_early_is_no_answer_and_the_question_still_comes(
    slowly: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    terminal = slowly("vault", "unlock")
    wait_until(lambda: not terminal.echoes())
    terminal.types(f"{EARLY}\n")
    (tmp_path / "started").touch()
    terminal.until("passphrase: ")
    terminal.types("right\n")
    assert terminal.end() == 0
    assert stand_in.bodies("POST /v1/vault/unlock") == [{"passphrase": "right"}]
    assert EARLY not in terminal.screen


def test_a_daemon_that_does_not_start_leaves_the_terminal_as_it_was(slowly: Any, tmp_path: Path) -> None:
    terminal = slowly("vault", "unlock")
    wait_until(lambda: not terminal.echoes())
    (tmp_path / "started").write_text("no")
    assert terminal.end() == 1
    assert "it does not start" in terminal.screen


def test_a_command_that_asks_for_no_secret_shows_what_is_typed(slowly: Any, tmp_path: Path) -> None:
    terminal = slowly("binding", "list")
    terminal.types("hello")
    terminal.until("hello")
    assert terminal.echoes()
    (tmp_path / "started").write_text("no")
    assert terminal.end() == 1
