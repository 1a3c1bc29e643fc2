"""Every command as a process: streams that are closed, a locale without UTF-8, a home that nobody can write to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli.command_tree import leaves
from cli.conftest import StandIn
from cli.stand_in_server import StandInServer
from cli.test_cli_withstands import BECOMES_ANOTHER_PROGRAM, CODES, FOLLOW, SIGNS, required
from world import ROOT

from daemon.base.platform import process_identity
from daemon.cli.failure import ExitCode
from daemon.lifecycle.discovery import Discovery, write_discovery
from daemon.version import VERSION

POOR = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40"}
STOP = frozenset({"stop", "daemon stop"})
"""They would end the process that the stand-in names as its own, which is the one of the tests."""


def walked(
    home: Path, word: str, *, closed: tuple[int, ...], leave_out: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Run every command, with a word for what it must be given and without these streams."""
    lines = [
        {"words": required(leaf, word), "closed": closed, "home": str(home), "folder": str(home)}
        for leaf in leaves()
        if leaf.name not in BECOMES_ANOTHER_PROGRAM | FOLLOW | leave_out
    ]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("forked_walk.py"))],
        input=json.dumps(lines).encode(),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **POOR},
        capture_output=True,
        timeout=240,
        check=True,
    )
    return [line | ended for line, ended in zip(lines, json.loads(done.stdout), strict=True)]


def check(ended: dict[str, Any]) -> None:
    """Hold what every command must keep to, wherever it runs."""
    assert ended["code"] in CODES, ended
    assert not [sign for sign in SIGNS if sign in ended["said"]], ended
    assert ended["said"].isascii(), ended
    assert ended["said"].strip() or not ended["code"], ended


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """Offer a folder in which nothing can be made; it may be the home, and where a person stands."""
    folder = tmp_path / "closed"
    (folder / "actions").mkdir(parents=True)
    (folder / "config.toml").write_text("")
    yield folder
    for place in (folder / "actions", folder):
        place.chmod(0o700)


def close(folder: Path) -> None:
    for place in (folder / "actions", folder):
        place.chmod(0o500)


def test_every_command_ends_as_the_table_says_where_nothing_can_be_written_and_no_daemon_runs(
    closed_folder: Path,
) -> None:
    close(closed_folder)
    for ended in walked(closed_folder, "x", closed=(0,)):
        check(ended)
    assert sorted(place.name for place in closed_folder.rglob("*")) == ["actions", "config.toml"]


def test_every_command_ends_as_the_table_says_where_a_daemon_answers_and_streams_are_closed(
    closed_folder: Path, stand_in: StandIn
) -> None:
    with StandInServer(stand_in.handle) as server:
        found = Discovery(
            pid=os.getpid(),
            identity=process_identity(os.getpid()) or "",
            control_url=server.url,
            agent_url=server.url,
            token="t",
            version=VERSION,
            started_at=datetime.now(tz=UTC).isoformat(),
            home=str(closed_folder),
        )
        write_discovery(closed_folder / "daemon.json", found)
        close(closed_folder)
        for ended in walked(closed_folder, "n\u00e4me \u540d", closed=(0, 1), leave_out=STOP):
            check(ended)
            if ended["words"] == ["version"]:
                assert ended["code"] == ExitCode.FAILED
    assert stand_in.requests
