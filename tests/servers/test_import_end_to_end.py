"""`aileron server import` and `restore` as a person runs them, with a daemon, a vault and agents' files."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shell import Shell
from world import PASSPHRASE, World

TOKEN = "sentinel-2b7c11d09e5f4a63-token"
OTHER = "sentinel-81d2c3f4a5b60718-other"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:9") as made:
        made.start()
        yield made


DIES = """
import os, signal, sys
from daemon.cli.client import ControlClient
from daemon.cli.importing.records import Records
from daemon.cli.launch.config_file import ConfigFile
left = int(sys.argv.pop())
def dies(kind, name):
    work = getattr(kind, name)
    def step(*given, **more):
        global left
        found = work(*given, **more)
        if name != "post" or given[1] == "/v1/servers":
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return found
    setattr(kind, name, step)
for kind, names in ((Records, ("new", "change")), (ControlClient, ("put", "post")), (ConfigFile, ("exchange",))):
    for name in names:
        dies(kind, name)
from daemon.cli.main import main
sys.argv = ["aileron", "server", "import", "cursor", "--yes", "--no-test"]
main()
"""
"""An import that kills itself behind the step whose number is its last argument."""

WRITES = """
import pathlib, sys
from daemon.cli.launch.config_file import ConfigFile
old, new = sys.argv.pop(), sys.argv.pop()
exchange = ConfigFile.exchange
def after_the_agent(self, text):
    held = pathlib.Path(self.path).read_text()
    pathlib.Path(self.path).write_text(held.replace(old, new, 1))
    exchange(self, text)
ConfigFile.exchange = after_the_agent
from daemon.cli.main import main
sys.argv = ["aileron", "server", "import", "claude", "--yes", "--no-test"]
main()
"""
"""An import beside an agent that replaces one text in its file, each time just before the import writes it."""


def at_a_terminal(person: "Person", *answers: tuple[str, str]) -> tuple[int, str]:
    """Run the import at a terminal; answer each question when it stands there."""
    master, slave = pty.openpty()
    shell = person.start("server", "import", "--no-test", stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    screen = ""
    for question, answer in answers:
        while question not in screen:
            screen += os.read(master, 65536).decode()
        os.write(master, f"{answer}\n".encode())
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while part := os.read(master, 65536):
            screen += part.decode()
    os.close(master)
    return shell.wait(60), screen


class Person(Shell):
    """A person with files of agents, whose Aileron has no servers when a test begins."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world.home, folder / "project")
        self.world = world
        self.folder.mkdir()
        self.user = folder / "user"
        self.user.mkdir()
        self.environ["HOME"] = str(self.user)
        for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
            self.environ.pop(name, None)

    def write(self, path: str, text: str, *, mode: int = 0o600) -> Path:
        file = self.user / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        file.chmod(mode)
        return file

    def servers(self) -> dict[str, Any]:
        names = [item["name"] for item in self.world.ok("GET", "/v1/servers")["items"]]
        return {name: self.world.ok("GET", f"/v1/servers/{name}") for name in names}

    def secrets(self) -> list[str]:
        return [item["name"] for item in self.world.ok("GET", "/v1/secrets")["items"]]

    def do(self, *arguments: str, **options: Any) -> dict[str, Any]:
        more = ["--yes", "--no-test"] if arguments[0] == "import" and "--dry-run" not in arguments else []
        found: dict[str, Any] = json.loads(self("server", *arguments, "--json", *more, **options).stdout)
        return found


@pytest.fixture
def person(newcomer: Person) -> Person:
    """Offer a person whose vault is there and open, also when a test runs alone."""
    if newcomer.world.ok("GET", "/v1/vault")["state"] == "absent":
        newcomer.world.set_up_vault()
    return newcomer


@pytest.fixture
def newcomer(world: World, tmp_path: Path) -> Iterator[Person]:
    yield Person(world, tmp_path)
    for item in world.ok("GET", "/v1/servers")["items"]:
        world.ok("DELETE", f"/v1/servers/{item['name']}")
    for record in (world.home / "imports").glob("*.json"):
        record.unlink()


def claude(token: str = TOKEN, name: str = "GitHub") -> str:
    server = {"command": "npx", "args": ["-y", "gh"], "env": {"GH_TOKEN": token}, "timeout": 60000}
    return json.dumps(
        {"numStartups": 3, "mcpServers": {name: server, "old": {"type": "sse", "url": "https://a/"}}}, indent=2
    )


CODEX = f"""# mine\r
[mcp_servers.gh]\r
command = "npx"\r
args = ["-y", "gh"]\r
env = {{ GH_TOKEN = "{TOKEN}" }}\r
\r
[mcp_servers.linear]\r
url = "https://mcp.linear.app/mcp"\r
http_headers = {{ Authorization = "Bearer {OTHER}" }}\r
"""


def snapshot(*folders: Path) -> dict[str, tuple[int, bytes]]:
    skipped = {"aileron.db", "aileron.db-wal", "aileron.db-shm"}
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name not in skipped]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files if "logs" not in path.parts}


def test_without_a_vault_nothing_is_changed_and_the_command_that_helps_is_named(newcomer: Person) -> None:
    file = newcomer.write(".claude.json", claude())
    before = file.read_bytes()
    said = newcomer("server", "import", "--yes", expect=77)
    assert "aileron vault init" in said.stderr
    assert (file.read_bytes(), newcomer.servers()) == (before, {})
    newcomer.world.set_up_vault()
    newcomer.world.ok("POST", "/v1/vault/lock")
    assert "aileron vault unlock" in newcomer("server", "import", "--yes", expect=77).stderr
    assert (file.read_bytes(), newcomer.servers()) == (before, {})
    newcomer.world.ok("POST", "/v1/vault/unlock", {"passphrase": PASSPHRASE})


def test_a_dry_run_writes_nothing_and_says_what_would_be_done_without_a_value(person: Person) -> None:
    person.write(".claude.json", claude())
    before = snapshot(person.user, person.world.home)
    said = person("server", "import", "--dry-run").stdout
    assert snapshot(person.user, person.world.home) == before
    assert "GitHub: goes out of the file; added as github" in said
    assert "variable GH_TOKEN goes to the vault as github/gh_token (31 characters" in said
    assert "old: stays in the file: it speaks the old SSE transport" in said
    assert TOKEN[:12] not in said


def test_servers_move_and_come_back_to_the_same_bytes(person: Person) -> None:
    file = person.write(".claude.json", claude(), mode=0o640)
    kept = person.write("dots/config.toml", CODEX)
    (person.user / ".codex").mkdir()
    (person.user / ".codex/config.toml").symlink_to(kept)
    before = file.read_bytes()
    done = person.do("import")
    assert [server["name"] for each in done["files"] for server in each["servers"]] == ["github", "github", "linear"]
    servers = person.servers()
    assert servers["github"]["env"] == {"GH_TOKEN": "vault://secrets/github/gh_token"}
    assert servers["github"]["call_seconds"] == 60
    assert servers["linear"]["headers"] == {"Authorization": "Bearer vault://secrets/linear/authorization"}
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["old"]
    assert kept.read_bytes() == b"# mine\r\n\r\n"
    assert (file.stat().st_mode & 0o777, (person.user / ".codex/config.toml").is_symlink()) == (0o640, True)
    holding = [path for path in person.world.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert {path.parent.name for path in holding} == {"imports"}
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}
    assert person.do("import")["files"][0]["servers"] == []
    first = person.do("restore", "codex")["items"][0]
    assert (first["servers"], first["kept"][0].split(":")[0]) == (["linear"], "github")
    person.do("restore")
    assert (file.read_bytes(), kept.read_bytes(), person.servers()) == (before, CODEX.encode(), {})
    assert file.stat().st_mode & 0o777 == 0o640
    assert list((person.world.home / "imports").glob("*.json")) == []


def test_a_file_that_was_changed_since_gets_only_its_servers_back(person: Person) -> None:
    file = person.write(".claude.json", claude())
    person.do("import", "claude")
    file.write_text(file.read_text().replace('"numStartups": 3', '"numStartups": 4, "theme": "dark"'))
    assert "changed meanwhile" in person.do("restore", "claude")["items"][0]["how"]
    assert json.loads(file.read_text()) == json.loads(claude()) | {"numStartups": 4, "theme": "dark"}


def test_a_server_in_whose_place_the_person_wrote_another_one_is_not_lost(person: Person) -> None:
    file = person.write(
        ".cursor/mcp.json", json.dumps({"mcpServers": {"gh": {"command": "a"}, "two": {"url": "https://b/"}}})
    )
    person.do("import", "cursor")
    other = {"mcpServers": {"gh": {"command": "mine"}}}
    file.write_text(json.dumps(other))
    [done] = person.do("restore")["items"]
    assert "its other servers are in it again" in done["how"]
    assert done["kept"] == ["gh: the file has another gh by now"]
    assert json.loads(file.read_text()) == {"mcpServers": other["mcpServers"] | {"two": {"url": "https://b/"}}}
    assert [shown["command"] for shown in person.servers().values()] == [["a"]]
    assert person.do("restore")["items"] == []


def test_a_file_that_cannot_be_read_any_more_is_refused_and_its_servers_are_kept(person: Person) -> None:
    file = person.write(".claude.json", claude())
    person.do("import", "claude")
    after = file.read_bytes()
    file.write_bytes(after[:-2])
    assert "left alone" in person("server", "restore", expect=1).stderr
    assert list(person.servers()) == ["github"]
    file.write_bytes(after)
    person.do("restore")
    assert file.read_bytes() == claude().encode()


def test_other_values_of_one_name_get_another_name(person: Person) -> None:
    person.world.ok("PUT", "/v1/secrets", {"name": "notes/gh_token", "value": "theirs"})
    person.write(".claude.json", claude(name="notes"))
    person.write(".cursor/mcp.json", claude(OTHER, name="notes"))
    person.do("import")
    assert [server["env"]["GH_TOKEN"] for server in person.servers().values()] == [
        "vault://secrets/notes/gh_token-2",
        "vault://secrets/notes-2/gh_token",
    ]


def test_a_secret_that_stayed_in_the_vault_after_a_restore_is_used_again_if_it_is_the_same(person: Person) -> None:
    def secrets() -> dict[str, int]:
        items = person.world.ok("GET", "/v1/secrets")["items"]
        return {item["name"]: item["version"] for item in items if item["name"].startswith("again/")}

    def imported(token: str) -> tuple[str, bool]:
        person.write(".claude.json", claude(token, name="again"))
        done = person.do("import", "claude")
        [[secret]] = [server["secrets"] for file in done["files"] for server in file["servers"]]
        assert token not in json.dumps(done)
        person.do("restore")
        return secret["name"], secret["stored"]

    assert imported(TOKEN) == ("again/gh_token", False)
    before = secrets()
    assert imported(TOKEN) == ("again/gh_token", True)
    assert secrets() == before, "it was not written anew either"
    assert imported(OTHER) == ("again/gh_token-2", False)
    assert imported(OTHER) == ("again/gh_token-2", True)
    assert list(secrets()) == ["again/gh_token", "again/gh_token-2"]


def test_a_server_that_is_refused_takes_no_secret_along_that_was_there_before(person: Person) -> None:
    person.world.ok("PUT", "/v1/secrets", {"name": "bad/gh_token", "value": TOKEN})
    refused = {"command": "x", "env": {"GH_TOKEN": TOKEN, "A=B": "c"}}
    person.write(".claude.json", json.dumps({"mcpServers": {"bad": refused}}))
    done = person.do("import", "claude")
    assert [each["left"][0]["entry"] for each in done["files"]] == ["bad"]
    person.world.ok("DELETE", "/v1/secrets?name=bad/gh_token")  # it is still there


def test_the_same_server_of_a_later_import_is_one_entry(person: Person) -> None:
    person.write(".claude.json", claude())
    person.do("import")
    person.write(".claude.json", claude())  # the agent, or its owner, wrote it again
    person.write(".cursor/mcp.json", claude(name="hub"))
    done = person.do("import")
    assert {(each["name"], each["added"]) for file in done["files"] for each in file["servers"]} == {("github", False)}
    assert list(person.servers()) == ["github"]
    person.do("restore")
    assert person.servers() == {}


@pytest.mark.parametrize("after", range(5))
def test_an_import_that_is_killed_at_any_step_is_finished_by_the_next(person: Person, after: int) -> None:
    """The steps: record, secret, server, record again, the agent's file, record done."""
    file = person.write(".cursor/mcp.json", claude(name=f"killed-{after}"))
    ended = subprocess.run(
        [sys.executable, "-c", DIES, str(after)],
        cwd=person.folder,
        env=person.environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -9, ended.stderr
    reached = json.loads(file.read_bytes())["mcpServers"]
    assert len(reached) == 2 or list(person.servers()) == [f"killed-{after}"], "taken out before it was anywhere else"
    person.do("import", "cursor")
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["old"]
    (server,) = person.servers().values()
    assert server["env"] == {"GH_TOKEN": f"vault://secrets/killed-{after}/gh_token"}
    person.do("restore")
    assert (file.read_bytes(), person.servers()) == (claude(name=f"killed-{after}").encode(), {})


def test_a_killed_import_can_be_taken_back_too(person: Person) -> None:
    file = person.write(".cursor/mcp.json", claude())
    command = [sys.executable, "-c", DIES, "2"]
    subprocess.run(command, cwd=person.folder, env=person.environ, capture_output=True, timeout=60, check=False)
    assert list(person.servers()) == ["github"]
    person.do("restore", "cursor")
    assert (file.read_text(), person.servers()) == (claude(), {})


def test_a_killed_import_that_had_changed_the_file_is_not_forgotten_by_the_next_one(person: Person) -> None:
    file = person.write(".cursor/mcp.json", claude())
    before = file.read_bytes()
    command = [sys.executable, "-c", DIES, "4"]
    subprocess.run(command, cwd=person.folder, env=person.environ, capture_output=True, timeout=60, check=False)
    assert list(json.loads(file.read_bytes())["mcpServers"]) == ["old"]
    held = json.loads(file.read_bytes())
    held["mcpServers"]["new"] = {"command": "new"}
    file.write_text(json.dumps(held))
    person.do("import")
    assert list(person.servers()) == ["github", "new"]
    person.do("restore")
    assert json.loads(file.read_bytes())["mcpServers"] == json.loads(before)["mcpServers"] | {"new": {"command": "new"}}
    assert person.servers() == {}


def test_what_a_running_agent_writes_meanwhile_is_kept(person: Person) -> None:
    def imported(new: str, old: str) -> int:
        command = [sys.executable, "-c", WRITES, new, old]
        return subprocess.run(
            command, cwd=person.folder, env=person.environ, capture_output=True, timeout=60, check=False
        ).returncode

    file = person.write(".claude.json", claude())
    assert imported('"numStartups": 4', '"numStartups": 3') == 0
    held = json.loads(file.read_bytes())
    assert (held["numStartups"], list(held["mcpServers"])) == (4, ["old"])
    person.do("restore")
    assert file.read_text() == claude().replace("3", "4", 1)
    # The server itself is another one now: nobody has seen that one, so the person is asked to begin again.
    assert imported('"npx"', '"uvx"') == 0
    person.do("restore")
    assert imported('"uvx"', '"npx"') == 1
    assert json.loads(file.read_bytes())["mcpServers"]["GitHub"]["command"] == "uvx"
    person.do("import")
    assert "GitHub" not in json.loads(file.read_bytes())["mcpServers"]
    assert ["uvx", "-y", "gh"] in [server["command"] for server in person.servers().values()]


def test_two_imports_at_once_take_every_server_over_once(person: Person) -> None:
    person.write(".claude.json", claude())
    both = [
        person.start("server", "import", "--yes", "--no-test", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for each in both:
        _, said = each.communicate(timeout=60)
        assert each.returncode == 0 or "another import" in said
    assert list(person.servers()) == ["github"]
    person.do("restore")
    assert (person.user / ".claude.json").read_bytes() == claude().encode()


def test_files_that_are_none_of_an_agent_are_left_alone_and_named(person: Person) -> None:
    os.mkfifo(person.user / ".claude.json")
    person.write(".cursor/mcp.json", claude()).chmod(0o400)
    (person.user / ".pi/agent").mkdir(parents=True)
    (person.user / ".pi/agent/mcp.json").symlink_to("mcp.json")
    (person.write(".config/Code/User/mcp.json", "")).write_bytes(b"\xff{}")
    (person.user / ".codex").mkdir()
    os.link(person.write("hard", CODEX), person.user / ".codex/config.toml")
    with person.write(".config/goose/config.yaml", "").open("wb") as large:
        large.truncate(33 << 20)
    done = person.do("import")
    problems = {each["agent"]: each["problem"] for each in done["files"]}
    assert set(problems) == {"claude", "cursor", "pi", "vscode", "codex", "goose"}
    assert all(problems.values()), problems
    assert person.servers() == {}


def test_what_the_daemon_refuses_stays_and_leaves_no_secret(person: Person) -> None:
    entry = {"command": "x", "env": {"NO NAME": "x", "REFUSED_TOKEN": TOKEN, "LONG_TOKEN" * 30: OTHER}}
    said = json.dumps({"mcpServers": {"bad": entry}})
    files = [person.write(path, said) for path in (".claude.json", ".cursor/mcp.json")]
    assert [each["left"][0]["entry"] for each in person.do("import")["files"]] == ["bad", "bad"]
    assert [file.read_text() for file in files] == [said, said]
    assert (person.servers(), [name for name in person.secrets() if name.startswith("bad/")]) == ({}, [])


def test_what_was_taken_over_is_started_once_and_what_it_lacks_is_said(person: Person) -> None:
    entries = {name: {"command": f"/no/{name}"} for name in ("one", "two")}
    file = person.write(".claude.json", json.dumps({"mcpServers": entries}))
    said = person("server", "import", "--yes")
    assert json.loads(file.read_bytes()) == {"mcpServers": {}}
    assert "one cannot be asked yet" in said.stderr
    assert "two cannot be asked yet" in said.stderr
    assert "/no/two cannot be started: No such file" in said.stderr


def test_a_project_file_and_a_named_file_work_in_their_own_way(person: Person) -> None:
    (person.folder / ".mcp.json").write_text(json.dumps({"mcpServers": {"local": {"command": "./run"}}}))
    named = person.write(
        "servers.json", '{"servers": {"web": {"type": "http", "url": "https://a.example/mcp"}} /* mine */}'
    )
    assert "belongs to the project" in person("server", "import", "claude", "--yes", "--no-test").stdout
    person.do("import", str(named))
    assert person.servers()["local"]["folder"] == str(person.folder)
    assert named.read_text() == '{"servers": {} /* mine */}'
    person.do("restore", str(named))
    assert list(person.servers()) == ["local"]
    assert "no agent that is known" in person("server", "import", "cluade", expect=2).stderr


def test_nobody_is_asked_where_nobody_can_answer(person: Person) -> None:
    file = person.write(".claude.json", claude())
    assert "there is no file" in person("server", "import", "none.json", expect=2).stderr
    assert "--yes" in person("server", "import", expect=2).stderr
    assert "--yes" in person("server", "import", "--json", expect=2).stdout
    assert (file.read_bytes(), person.servers()) == (claude().encode(), {})


def test_a_person_decides_about_what_only_looks_random_and_about_the_whole(person: Person) -> None:
    looks_random = "9f8Ab3kL0qZx7Vt2Rw5Ym1Nc"
    said = json.dumps({"mcpServers": {"it": {"command": "x", "env": {"ID": looks_random, "TOKEN": TOKEN}}}})
    file = person.write(".claude.json", said)
    code, screen = at_a_terminal(person, ("A secret? [Y/n]", ""), ("Do this?", "n"))
    assert (code, file.read_text(), person.servers()) == (1, said, {})
    assert "it/id (24 characters, it looks random)" in screen
    code, screen = at_a_terminal(person, ("A secret? [Y/n]", "n"), ("Do this?", "y"))
    assert (code, person.servers()["it"]["env"]) == (0, {"ID": looks_random, "TOKEN": "vault://secrets/it/token"})
    assert (TOKEN in screen, looks_random in screen) == (False, False)
