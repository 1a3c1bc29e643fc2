"""`aileron --help` starts without importing the world, and the table of commands says what the commands say."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from daemon.cli.main import _Root

FORBIDDEN = {
    "aiohttp",
    "alembic",
    "cryptography",
    "daemon.cli.client",
    "daemon.lifecycle",
    "daemon.base.settings",
    "fastapi",
    "httpx",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "wasmtime",
}
_LISTING = """
import sys
from daemon.cli.invocation import Invocation
from daemon.cli.main import run
run(sys.argv[1:], Invocation.from_process())
print(*sys.modules, sep=chr(10), file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    """Return what a fresh interpreter has imported after a command line."""
    ended = subprocess.run(
        [sys.executable, "-c", _LISTING, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    return set(ended.stderr.split("\n"))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_and_version_import_nothing_that_is_slow(arguments: list[str]) -> None:
    assert modules_after(*arguments) & FORBIDDEN == set()


@pytest.mark.parametrize("arguments", [["action", "run", "--help"], ["audit", "--help"], ["approval", "--help"]])
def test_help_of_a_command_imports_no_client_and_no_daemon(arguments: list[str]) -> None:
    assert modules_after(*arguments) & FORBIDDEN == set()


@pytest.mark.parametrize("arguments", [["secret", "list"], ["status", "--json"], ["launch", "--sandbox", "codex"]])
def test_a_command_that_asks_the_daemon_imports_no_http_library_and_no_validator(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AILERON_HOME", str(tmp_path / "a file"))
    (tmp_path / "a file").touch()
    heavy = {"aiohttp", "httpx", "pydantic", "requests", "rich", "urllib.request", "urllib3"}
    assert modules_after(*arguments) & heavy == set()


def test_only_the_group_that_runs_is_imported() -> None:
    imported = {name for name in modules_after("vault", "--help") if name.startswith("daemon.cli.")}
    assert "daemon.cli.vault" in imported
    assert {entry.module for entry in _Root.table.values()} & imported == {"daemon.cli.vault"}


@pytest.mark.parametrize("name", _Root.table)
def test_the_line_in_the_table_is_the_command_s_own_first_sentence(name: str) -> None:
    entry = _Root.table[name]
    command = get_command(importlib.import_module(entry.module).app)
    assert command.get_short_help_str(limit=200) == entry.help


@pytest.mark.parametrize("name", _Root.table)
def test_no_line_of_help_is_cut_short(cli: Any, name: str) -> None:
    assert [line for line in cli(name, "--help").out.splitlines() if line.endswith("...") and "Usage" not in line] == []
