"""`servers.yaml` is taken whole or refused whole, and changed without losing a comment."""

import asyncio
import re
import stat
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.core.failures import DocumentError, Failure
from daemon.custody.contents import belongs
from daemon.tools.servers.configuration.configuration import Configuration
from daemon.tools.servers.configuration.editing import with_server, with_switch, without_server
from daemon.tools.servers.configuration.reading import KEYS, read_servers
from daemon.tools.servers.values import Mode, Scope, ServerConfig

WHOLE = """\
# My servers
version: "1"
downstream_servers:
  # reads files
  - name: filesystem            # the usual one
    command: ["npx", "-y", "server-filesystem", "/home/me"]
    env: { TOKEN: "vault://secrets/token", PORT: 8080 }
    idle_seconds: 60

  # issues
  - name: linear
    mode: remote
    url: https://mcp.example.com/mcp?key=vault://secrets/key&x=1
    headers: { Authorization: "Bearer vault://secrets/linear" }
    policy_mapping: { tool_prefix: "lin" }
    scope: session
# the end
"""


def read(text: str) -> list[ServerConfig]:
    return list(read_servers(text, "servers.yaml").values())


def one(lines: str) -> str:
    return f'version: "1"\ndownstream_servers:\n  - name: a\n{lines}'


def test_a_file_is_read_with_its_defaults_in_its_order() -> None:
    first, second = read(WHOLE)
    assert first.command == ("npx", "-y", "server-filesystem", "/home/me")
    assert first.env == {"TOKEN": "vault://secrets/token", "PORT": "8080"}
    assert (first.mode, first.scope, first.enabled, first.idle_seconds) == (Mode.LOCAL, Scope.SHARED, True, 60)
    assert (second.mode, second.scope, second.prefix) == (Mode.REMOTE, Scope.SESSION, "lin")
    assert read("") == []
    assert read('version: "1"\n') == []


def test_the_file_on_the_page_is_one_that_is_taken_and_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "servers.md").read_text()
    block = re.search(r'^    version: "1"\n(?:    .*\n)+', page, re.MULTILINE)
    assert block is not None
    assert [server.prefix for server in read(textwrap.dedent(block[0]))] == ["files", "lin"]
    table = page[page.index("| key | for |") : page.index("## Secrets")]
    assert {key for key in KEYS if f"`{key}" in table} == set(KEYS)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("downstream_servers: []\n", 1, "version"),
        ('version: "2"\n', 1, "version '2'"),
        ('version: "1"\nservers: []\n', 2, "no key 'servers'. Did you mean downstream_servers?"),
        (one("    comand: [x]\n"), 4, "Did you mean command?"),
        (one("    command: [x]\n    url: https://a.example\n"), 5, "url is for servers that are remote"),
        (one("    mode: remote\n"), 3, "has no url"),
        (one(""), 3, "has no command"),
        (one("    command: []\n"), 4, "command is empty"),
        (one("    command: npx\n"), 4, "command is not a list"),
        (one("    command: [x]\n    command: [y]\n"), 5, "twice"),
        (one("    command: [x]\n  - name: a\n    command: [x]\n"), 5, "two servers named a"),
        (one("    command: [x]\n    env: { A: null }\n"), 5, "not a text"),
        (one("    command: [x]\n    env: { A-B: c }\n"), 5, "no name of a variable"),
        (one("    command: [x]\n    env: { A: vault://secrets/Token }\n"), 5, "reference to the vault"),
        (one("    command: [x]\n    env: { A: vault://secret/token }\n"), 5, "reference to the vault"),
        (one("    command: [x, vault://secrets/t]\n"), 4, "unsafe_args: true"),
        (one("    mode: remote\n    url: https://vault://secrets/t@a.example/\n"), 5, "url"),
        (one("    mode: remote\n    url: https://a.example/vault://secrets/t\n"), 5, "outside of its query"),
        (one("    mode: remote\n    url: http://a.example/?k=vault://secrets/t\n"), 5, "without encryption"),
        (one("    mode: remote\n    url: ftp://a.example/\n"), 5, "no URL of the web"),
        (one("    mode: remote\n    url: https://me:pass@a.example/\n"), 5, "password"),
        (one('    mode: remote\n    url: https://a.example/\n    headers: { X: "a\\nb" }\n'), 6, "several lines"),
        (one("    command: [x]\n    enabled: maybe\n"), 5, "neither true nor false"),
        (one("    command: [x]\n    call_seconds: 0\n"), 5, "no number from 1"),
        (one("    command: [x]\n    folder: work\n"), 5, "whole path"),
        ('version: "1"\ndownstream_servers:\n  - name: Bad__name\n    command: [x]\n', 3, "no name for a server"),
        ('version: "1"\ndownstream_servers: [\n', 3, "not valid YAML"),
        ("a: " + "[" * 5000, None, "too many brackets"),
        ('{"mcpServers": {"a": {"command": "x"}}}', 1, "run `aileron server import FILE`"),
        ('version: "1"\ndownstream_servers:\n  a:\n    command: [x]\n', 3, "begin with `- name: NAME`"),
        ('version: "1"\ndownstream_servers:\n\t- name: a\n', 3, "indent with spaces, not with tabs"),
        (one('    command: ["x]\n'), 5, "in what begins at line 4"),
        (one("    command: x\n    args: [-y]\n"), 5, 'arguments into command: ["npx", "-y", "PACKAGE"]'),
        (one("    command: [x]\n    cwd: /\n"), 5, "Did you mean folder?"),
        (one("    command: [x]\n    disabled: true\n"), 5, "Did you mean enabled?"),
        (one("    command: [x]\n    type: http\n"), 5, "Did you mean mode?"),
        (
            'version: "1"\ndownstream_servers:\n  - &a\n    name: a\n    command: [x]\n  - <<: *a\n',
            6,
            "write its keys out",
        ),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_whole_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read(text)
    assert said in str(refused.value)
    assert refused.value.line == line


def test_arguments_may_hold_a_secret_only_where_the_person_says_so() -> None:
    [server] = read(one("    command: [x, --token=vault://secrets/t]\n    unsafe_args: true\n"))
    assert server.unsafe_args


ADDED = ServerConfig(
    name="git",
    command=("uvx", 'say "hi"', "ünïcode", "a: b # c"),
    env={"A": "vault://secrets/git/token", "B": ""},
    scope=Scope.SESSION,
    folder="~/work",
    call_seconds=12.5,
    tool_prefix="g",
)


def test_a_change_that_another_command_or_an_editor_made_first_is_named_as_what_it_is() -> None:
    text = with_server(WHOLE, ADDED, "servers.yaml")
    with pytest.raises(Failure, match="There is a server named git already"):
        with_server(text, ADDED, "servers.yaml")
    with pytest.raises(Failure, match="There is no server 'git'"):
        without_server(WHOLE, "git", "servers.yaml")
    with pytest.raises(Failure, match="There is no server 'git'"):
        with_switch(WHOLE, ADDED, "servers.yaml")


def test_adding_a_server_keeps_every_line_that_is_there() -> None:
    text = with_server(WHOLE, ADDED, "servers.yaml")
    assert read(text)[-1] == ADDED
    end = WHOLE.index("# the end")
    assert text.startswith(WHOLE[:end])
    assert text.endswith(WHOLE[end:])
    assert without_server(text, "git", "servers.yaml") == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        'version: "1"',
        'version: "1"\ndownstream_servers:\n',
        'version: "1"\ndownstream_servers: [] # none\n',
    ],
)
def test_the_first_server_is_added_to_whatever_stands_there(text: str) -> None:
    remote = ServerConfig(
        name="linear", mode=Mode.REMOTE, url="https://a.example/mcp", headers={"X-Key": "vault://secrets/k"}
    )
    edited = with_server(with_server(text, ADDED, "f"), remote, "f")
    assert read(edited) == [ADDED, remote]
    assert ("# " in text) == ("# none" in edited or "# mine" in edited)


def test_removing_a_server_keeps_the_comments_of_the_others() -> None:
    text = without_server(WHOLE, "filesystem", "servers.yaml")
    assert [server.name for server in read(text)] == ["linear"]
    for comment in ("# My servers", "# reads files", "# issues", "# the end"):
        assert comment in text
    assert read(without_server(text, "linear", "servers.yaml")) == []


def test_a_switch_changes_one_word_or_adds_one_line() -> None:
    first, second = read(WHOLE)
    off = with_switch(WHOLE, replace(first, enabled=False), "servers.yaml")
    assert read(off) == [replace(first, enabled=False), second]
    on = with_switch(off, first, "servers.yaml")
    assert read(on) == [first, second]
    assert on.replace("    enabled: true\n", "") == WHOLE
    flow = 'version: "1"\ndownstream_servers: [{name: a, command: [x]}]\n'
    [server] = read(flow)
    assert read(with_switch(flow, replace(server, enabled=False), "f")) == [replace(server, enabled=False)]


def test_line_ends_of_another_system_stay() -> None:
    text = with_server(WHOLE.replace("\n", "\r\n"), ADDED, "servers.yaml")
    assert text.count("\r\n") == text.count("\n")
    assert without_server(text, "git", "servers.yaml") == WHOLE.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Git"}, "no name for a server"),
        ({"name": "a\n  - name: b"}, "no name for a server"),
        ({"name": "a # b"}, "no name for a server"),
        ({"command": ()}, "command is empty"),
        ({"command": ("x", "vault://secrets/t")}, "unsafe_args"),
        ({"env": {"A B": "c"}}, "no name of a variable"),
        ({"env": {"A": "b\u202ec"}}, "not allowed"),
        ({"tool_prefix": "a__b"}, "no prefix"),
    ],
)
def test_a_server_that_breaks_a_rule_is_not_added_and_the_rule_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises((DocumentError, Failure), match=said):
        with_server(WHOLE, replace(ADDED, **changed), "servers.yaml")


def test_a_form_that_cannot_be_kept_is_left_to_the_person() -> None:
    with pytest.raises(Failure, match="by hand"):
        with_server('version: "1"\ndownstream_servers: [{name: a, command: [x]}]\n', ADDED, "f")


def test_a_file_that_was_wrong_from_the_start_is_not_said_to_leave_servers_as_they_were(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "servers.yaml"
        path.write_text(WHOLE + "    colour: blue\n")
        configuration = Configuration(path)
        await configuration.look()
        assert configuration.all() == {}
        assert configuration.meanwhile.startswith("Until it is right, no server is there")
        path.write_text(WHOLE)
        await configuration.look()
        path.write_text("nonsense")
        await configuration.look()
        assert configuration.meanwhile == "The servers are as they were before."
        assert configuration.all()
        configuration.close()

    asyncio.run(scene())


def test_a_broken_edit_keeps_the_servers_as_they_were_and_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "servers.yaml"
        configuration = Configuration(path)
        await configuration.look()
        assert configuration.all() == {}
        await configuration.edit(lambda text, file: with_server(text, ADDED, file))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        held = configuration.all()["git"]
        good = path.read_text()
        path.write_text(good + "    colour: blue\n")
        await configuration.look()
        assert configuration.all()["git"] is held
        assert "no key 'colour'" in str(configuration.problem)
        assert configuration.meanwhile == "The servers are as they were before."
        with pytest.raises(Failure, match="Mend it first"):
            await configuration.edit(lambda text, file: without_server(text, "git", file))
        changes = configuration.changes()
        told = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        path.write_text(good.replace("12.5", "13"))
        await configuration.look()
        await told
        await changes.aclose()
        assert configuration.problem is None
        assert configuration.all()["git"].call_seconds == 13
        path.unlink()
        await configuration.look()
        assert configuration.all() == {}
        configuration.close()

    asyncio.run(scene())


def test_the_file_belongs_to_a_backup() -> None:
    assert belongs("servers.yaml")


def test_the_file_may_be_a_link_and_stays_one(tmp_path: Path) -> None:
    async def scene() -> None:
        real, path = tmp_path / "real.yaml", tmp_path / "servers.yaml"
        real.write_text(WHOLE)
        path.symlink_to(real)
        configuration = Configuration(path)
        await configuration.edit(lambda text, file: with_server(text, ADDED, file))
        configuration.close()
        assert path.is_symlink()
        assert "name: git" in real.read_text()

    asyncio.run(scene())
