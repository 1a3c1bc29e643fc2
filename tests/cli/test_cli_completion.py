"""A shell that completes: names of what there is, nothing that a terminal or a shell could obey, and no other word."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import StandIn
from cli.stand_in_server import Silent, StandInServer
from typer.main import get_command

from daemon.base.platform import process_identity
from daemon.cli.completing import complete
from daemon.cli.completion_scripts import LINE_VARIABLE, VARIABLE
from daemon.cli.failure import ExitCode
from daemon.cli.main import app
from daemon.lifecycle.discovery import Discovery, write_discovery
from daemon.version import VERSION

PROGRAM = "from daemon.cli.main import main; main()"
APPROVAL, SESSION = "apr_01JZZZZZZZZZZZZZZZ", "ses_01JYYYYYYYYYYYYYYY"
LISTS = {
    "GET /v1/actions": [{"name": "ship-update", "state": "ready"}, {"name": "post", "state": "broken"}],
    "GET /v1/approvals": [{"id": APPROVAL, "action": "ship-update", "state": "pending"}],
    "GET /v1/sessions": [{"id": SESSION, "label": "codex in \x1b[2J$(rm -rf ~)\nwork"}],
    "GET /v1/bindings": [{"name": "api_key/slack/default", "connectors": {}}],
    "GET /v1/connectors": [{"name": "github://acme/slack", "version": "1.2.0"}, {"hash": "sha256:damaged"}],
    "GET /v1/secrets": [{"name": "team/key", "kind": "secret"}],
    "GET /v1/keyring": [{"key_id": "key_1", "label": "Acme"}],
}


@pytest.fixture
def home(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a home whose daemon is the stand-in."""
    stand_in.answers |= {path: {"items": items, "next": None} for path, items in LISTS.items()}
    monkeypatch.setenv("AILERON_HOME", str(tmp_path))
    with StandInServer(stand_in.handle) as server:
        found = Discovery(
            pid=os.getpid(),
            identity=process_identity(os.getpid()) or "",
            control_url=server.url,
            agent_url=server.url,
            token="t",
            version=VERSION,
            started_at="2026-11-20T21:00:00.000Z",
            home=str(tmp_path),
        )
        write_discovery(tmp_path / "daemon.json", found)
        yield tmp_path


def completed(capsys: pytest.CaptureFixture[str], line: str, shell: str = "bash") -> list[str]:
    """Return what may stand at the end of a line."""
    complete(shell, get_command(app), {LINE_VARIABLE: line})
    written = capsys.readouterr()
    assert written.err == ""
    return written.out.splitlines()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aileron bin", ["binding"]),
        ("aileron binding ", ["add", "list", "show", "use", "remove"]),
        ("aileron launch --la", ["--label", "--land"]),
        ("aileron launch co", ["codex"]),
        ("aileron action run sh", ["ship-update"]),
        ("aileron action check ", ["ship-update", "post"]),
        ("aileron approval approve ", [APPROVAL[-8:]]),
        ("aileron action result Z", [APPROVAL[-8:]]),
        ("aileron open approval ", [APPROVAL[-8:]]),
        ("aileron session diff ", [SESSION[-8:]]),
        ("aileron binding show api", ["api_key/slack/default"]),
        ("aileron binding add github:", ["//acme/slack"]),
        ("aileron binding add --from-secret ", ["team/key"]),
        ("aileron connector show ", ["github://acme/slack"]),
        ("aileron keyring remove ", ["key_1"]),
        ("aileron audit list --session=", [SESSION[-8:]]),
        ("aileron binding rebind ", ["github://acme/slack"]),
        ("aileron nothing ", []),
    ],
)
def test_commands_options_and_names_are_completed(
    capsys: pytest.CaptureFixture[str], line: str, words: list[str]
) -> None:
    assert [word for word in completed(capsys, line) if word not in ("--help", "-h")] == words


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_what_an_agent_chose_is_one_harmless_line_of_the_explanation(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    (line,) = completed(capsys, "aileron session show ", shell)
    assert line == f"{SESSION[-8:]}\tcodex in \\u001b[2J$(rm -rf ~)\\nwork"


@pytest.mark.parametrize("shell", ["complete_zsh", "complete_bash", "source_bash", "powershell", ""])
def test_a_script_of_another_version_gets_nothing_that_it_could_evaluate(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    assert completed(capsys, "aileron bin", shell) == []


def test_without_a_daemon_there_is_silence_and_none_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "none", tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("AILERON_HOME", str(home))
        assert completed(capsys, "aileron action run ") == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("answer", [{}, {"items": [{}]}, {"items": 1}, "text"])
def test_what_is_not_understood_is_no_word(capsys: pytest.CaptureFixture[str], stand_in: StandIn, answer: Any) -> None:
    stand_in.answers["GET /v1/actions"] = (200, answer)
    assert completed(capsys, "aileron action run ") == []


def test_a_daemon_that_does_not_answer_is_not_waited_for(home: Path, stand_in: StandIn) -> None:
    def never(_: Any) -> Any:
        raise Silent  # for twenty seconds, and the command ends before

    stand_in.answers["GET /v1/actions"] = never
    line = {VARIABLE: "bash", LINE_VARIABLE: "aileron action run "}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | line, capture_output=True, timeout=15, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_bash_completes_with_the_script_that_is_printed(cli: Any, home: Path) -> None:
    program = home / "bin" / "aileron"
    program.parent.mkdir()
    program.write_text(f'#!{sys.executable} -P\nimport sys; sys.path.insert(0, "{Path.cwd()}")\n{PROGRAM}\n')
    program.chmod(0o755)
    (home / "script").write_text(cli("completion", "bash").out)
    typed = (
        'COMP_LINE="aileron connector show github:"; COMP_POINT=${#COMP_LINE}; '
        f'_aileron_complete {program}; printf "<%s>" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", f"source {home / 'script'}; {typed}"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "<//acme/slack>", "")


def test_it_is_installed_where_the_shell_looks_and_says_how_it_is_loaded(cli: Any, tmp_path: Path) -> None:
    places = {"bash": "XDG_DATA_HOME", "zsh": "ZDOTDIR", "fish": "XDG_CONFIG_HOME"}
    for shell, variable in places.items():
        ended = cli("completion", "--install", environ={"SHELL": f"/bin/{shell}", variable: str(tmp_path / shell)})
        assert ended.code == 0
        (file,) = [path for path in (tmp_path / shell).rglob("*") if path.is_file()]
        assert file.read_text() == cli("completion", shell).out
        assert str(file) in ended.out


def test_another_shell_is_a_usage_failure_that_names_those_there_are(cli: Any) -> None:
    for words in (("tcsh",), ()):
        ended = cli("completion", *words)
        assert ended.code == ExitCode.USAGE
        assert "bash, zsh, fish" in ended.err
