"""`aileron agent` on real files: nothing lost, nothing secret, nothing half."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from world import ROOT

RUN = "from daemon.cli.main import main; main()"


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AILERON_", "XDG_", "CODEX_", "CLAUDE_"))}
        self.env = kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}

    def __call__(self, *arguments: str, expect: int = 0, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", RUN, "agent", *arguments],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize("agent", ["claude", "codex", "goose", "opencode", "pi"])
def test_an_empty_home_gets_a_private_file_and_loses_it_again(shell: Shell, agent: str) -> None:
    said = shell("add", agent)
    made = [path for path in shell.home.rglob("*") if path.is_file()]
    assert len(made) == 1
    assert str(made[0]) in said
    assert made[0].stat().st_mode & 0o777 == 0o600
    assert "aileron" in made[0].read_text()
    assert "nothing was changed" in shell("add", agent)
    assert [item["registered"] for item in json.loads(shell("list", agent, "--json"))["items"]] == ["yes"]
    shell("remove", agent)
    assert not made[0].exists()
    assert "nothing was changed" in shell("remove", agent)


def test_a_file_keeps_its_mode_its_link_and_what_it_was(shell: Shell) -> None:
    dotfiles = shell.home / "dotfiles"
    dotfiles.mkdir()
    real = dotfiles / "claude.json"
    real.write_text('{"theme": "dark"}')
    real.chmod(0o640)
    (shell.home / ".claude.json").symlink_to(real)
    shell("add", "claude")
    assert (shell.home / ".claude.json").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert json.loads(real.read_text())["theme"] == "dark"
    assert (dotfiles / "claude.json.before-aileron").read_text() == '{"theme": "dark"}'
    assert {item["registered"] for item in json.loads(shell("list", "claude", "--json"))["items"]} == {"yes"}
    shell("remove", "claude")
    assert real.read_text() == '{"theme": "dark"}'


def test_a_file_that_cannot_be_read_as_what_it_is_stays_as_it_is(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    for raw in (b"{broken", b"\xff\xfe{}"):
        path.write_bytes(raw)
        assert "left alone" in shell("add", "claude", expect=1)
        assert path.read_bytes() == raw
    assert sorted(entry.name for entry in shell.home.iterdir()) == [".claude.json"]


def test_a_server_of_the_same_name_that_is_not_ours_is_not_touched(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    text = '{"mcpServers": {"aileron": {"command": "something-else"}}}'
    path.write_text(text)
    assert "--force" in shell("add", "claude", expect=1)
    assert "nothing was changed" in shell("remove", "claude")
    assert path.read_text() == text
    assert "not ours" in shell("list", "claude")
    shell("add", "claude", "--force")
    assert "aileron" in json.loads(path.read_text())["mcpServers"]["aileron"]["command"]


OWN = {
    "claude": (".claude.json", '{"mcpServers": {"x": {}, "aileron":  {"command": "mine"}}, "n": 1}\n'),
    "codex": (".codex/config.toml", 'a = 1\n# mine\n[mcp_servers.aileron]\nurl = "x"\n\n[b]\nc = 1\n'),
    "goose": (".config/goose/config.yaml", "extensions:\n  aileron:\n    cmd: mine\n  b: {cmd: x}\n"),
    "opencode": (".config/opencode/opencode.json", '// c\n{"mcp": {"aileron": {"type": "remote", "url": "x",},},}'),
    "pi": (".pi/agent/mcp.json", '{"mcpServers": {"aileron": {"command": "mine"}}}'),
}


@pytest.mark.parametrize("agent", OWN)
def test_an_entry_of_the_persons_own_comes_back_however_often_ours_was_renewed(shell: Shell, agent: str) -> None:
    name, text = OWN[agent]
    path = shell.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    kept = path.with_name(f"{path.name}.before-aileron")
    shell("add", agent, "--force")
    shell("add", agent, AILERON_HOME=str(shell.home / "other"))  # ours changes; what was before it does not
    shell("add", agent, "--force", AILERON_HOME=str(shell.home / "another"))
    assert kept.read_text() == text
    assert "another" in path.read_text()
    shell("remove", agent)
    assert path.read_text() == text
    assert not kept.exists()  # it says the same as the file now
    assert "nothing was changed" in shell("remove", agent)


def test_what_was_kept_is_never_a_version_with_our_entry(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    kept = shell.home / ".claude.json.before-aileron"
    path.write_text('{"a": 1}')
    shell("add", "claude")
    path.write_text(path.read_text().replace('"a": 1', '"a": 2'))
    shell("remove", "claude")
    assert path.read_text() == '{"a": 2}'
    assert kept.read_text() == '{"a": 1}'
    shell("add", "claude")
    assert kept.read_text() == '{"a": 2}'


@pytest.mark.parametrize("agent", OWN)
def test_an_empty_file_is_an_empty_file_again(shell: Shell, agent: str) -> None:
    path = shell.home / OWN[agent][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o640)
    shell("add", agent)
    shell("remove", agent)
    assert path.read_bytes() == b""
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir() if entry.is_file()] == [path.name]


def test_a_read_only_file_is_refused_and_stays_as_it_is(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    path.write_text('{"a": 1}')
    path.chmod(0o444)
    assert "chmod u+w" in shell("add", "claude", expect=1)
    path.chmod(0o644)
    shell("add", "claude")
    path.chmod(0o444)
    there = path.read_text()
    assert "read-only" in shell("remove", "claude", expect=1)
    assert path.read_text() == there
    assert path.stat().st_mode & 0o777 == 0o444


def test_a_file_with_several_names_is_refused_and_keeps_them(shell: Shell) -> None:
    path, other = shell.home / ".claude.json", shell.home / "dotfiles.json"
    path.write_text('{"a": 1}')
    other.hardlink_to(path)
    assert "hard links" in shell("add", "claude", expect=1)
    assert path.samefile(other)
    assert other.read_text() == '{"a": 1}'
    assert len(list(shell.home.iterdir())) == 2


def test_a_file_keeps_its_owner(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    path.write_text("{}")
    if os.geteuid() == 0:  # only root can give a file to somebody else
        os.chown(path, 12345, 23456)
    before = path.stat()
    shell("add", "claude")
    assert (path.stat().st_uid, path.stat().st_gid) == (before.st_uid, before.st_gid)


def test_the_variables_that_move_an_agents_folder_move_the_file(shell: Shell) -> None:
    elsewhere = shell.home / "elsewhere"
    shell("add", "codex", CODEX_HOME=str(elsewhere))
    assert (elsewhere / "config.toml").exists()
    shell("add", "codex", CODEX_HOME=str(elsewhere), AILERON_HOME=str(shell.home / "other home"))
    assert "other home" in (elsewhere / "config.toml").read_text()


def test_many_at_once_leave_a_whole_file(shell: Shell) -> None:
    path = shell.home / ".claude.json"
    path.write_text(json.dumps({"history": ["x" * 1000] * 500}))
    words = ["add", "remove"] * 4

    def run(word: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", RUN, "agent", word, "claude"], env=shell.env, capture_output=True, check=False
        ).returncode

    with ThreadPoolExecutor(8) as pool:
        codes = set(pool.map(run, words))
    assert codes <= {0, 1}  # one that met another's change says so and writes nothing
    assert json.loads(path.read_text())["history"] == ["x" * 1000] * 500


def test_an_unknown_agent_is_told_the_nearest(shell: Shell) -> None:
    assert "Did you mean codex?" in shell("add", "codx", expect=2)
