"""Every agent's form of a server: what it means, and what is left with a reason. And which of its values are secret."""

import json
from typing import Any

import pytest

from daemon.cli.importing.hiding import Doubt, Hiding
from daemon.cli.importing.naming import server_name
from daemon.custody.contents import belongs
from launchers.importing.entry import LeftAloneError, Server
from launchers.importing.forms import FORMS, found_in
from launchers.importing.places import AGENTS, Source, form_of, sources, syntax_of
from launchers.importing.texts import Syntax
from launchers.registration.errors import RegistrationError

CONTAINER = {"vscode": "servers", "codex": "mcp_servers", "goose": "extensions", "opencode": "mcp"}


def one(agent: str, entry: Any, *, project: str | None = None) -> Server | str | None:
    found = found_in({CONTAINER.get(agent, "mcpServers"): {"it": entry}}, FORMS[agent], project=project)
    return (found[0].server or found[0].reason) if found else None


NPX = {"command": "npx", "args": ["-y", "notes"], "env": {"T": "x"}}
PLAIN = Server(command=("npx", "-y", "notes"), env={"T": "x"})
WEB = "https://a.example/mcp"


@pytest.mark.parametrize(
    ("agent", "entry", "wanted"),
    [
        ("claude", NPX | {"type": "stdio"}, PLAIN),
        ("claude", NPX | {"timeout": 60_000}, Server(command=PLAIN.command, env=PLAIN.env, call_seconds=60.0)),
        ("claude", {"type": "http", "url": WEB, "headers": {"A": "b"}}, Server(url=WEB, headers={"A": "b"})),
        ("claude-desktop", NPX, PLAIN),
        ("claude-desktop", {"command": "x", "env": {"PORT": 80}}, Server(command=("x",), env={"PORT": "80"})),
        ("cursor", {"url": WEB}, Server(url=WEB)),
        ("cursor", NPX | {"disabled": True}, Server(command=PLAIN.command, env=PLAIN.env, enabled=False)),
        ("vscode", NPX | {"type": "stdio", "cwd": "/p"}, Server(command=PLAIN.command, env=PLAIN.env, folder="/p")),
        ("vscode", {"type": "http", "url": WEB}, Server(url=WEB)),
        ("pi", NPX | {"exposure": "direct", "timeout": 9},
         Server(command=PLAIN.command, env=PLAIN.env, call_seconds=9)),
        ("codex", NPX | {"startup_timeout_sec": 9}, Server(command=PLAIN.command, env=PLAIN.env, start_seconds=9)),
        ("codex", {"url": WEB, "http_headers": {"A": "b"}, "enabled": False},
         Server(url=WEB, headers={"A": "b"}, enabled=False)),
        ("goose", {"type": "stdio", "cmd": "x", "args": ["y"], "envs": {"A": "b"}, "env_keys": [], "timeout": 5},
         Server(command=("x", "y"), env={"A": "b"}, call_seconds=5)),
        ("goose", {"type": "streamable_http", "uri": WEB, "headers": {}, "enabled": True}, Server(url=WEB)),
        ("goose", {"type": "builtin", "name": "developer"}, None),
        ("opencode", {"type": "local", "command": ["x", "y"], "environment": {"A": "b"}, "enabled": True},
         Server(command=("x", "y"), env={"A": "b"})),
        ("opencode", {"type": "remote", "url": WEB, "oauth": False}, Server(url=WEB)),
    ],
)  # fmt: skip
def test_what_an_entry_means(agent: str, entry: dict[str, Any], wanted: Server | None) -> None:
    assert one(agent, entry) == wanted


@pytest.mark.parametrize(
    ("agent", "entry", "reason"),
    [
        ("claude", {"type": "sse", "url": WEB}, "SSE"),
        ("cursor", {"url": "https://a.example/sse"}, "SSE"),
        ("goose", {"type": "sse", "uri": WEB}, "SSE"),
        ("claude", NPX | {"env": {"T": "${TOKEN:-hunter2}"}}, "fills in"),
        ("vscode", NPX | {"env": {"T": "${input:token}"}}, "fills in"),
        ("opencode", {"type": "local", "command": ["x"], "environment": {"T": "{env:TOKEN}"}}, "fills in"),
        ("vscode", NPX | {"envFile": ".env"}, "another file"),
        ("cursor", NPX | {"disabledTools": ["x"]}, "rules"),
        ("codex", NPX | {"enabled_tools": ["x"]}, "rules"),
        ("codex", NPX | {"tools": {"x": {"approval_mode": "approve"}}}, "rules"),
        ("codex", {"url": WEB, "bearer_token_env_var": "TOKEN"}, "environment"),
        ("goose", {"type": "stdio", "cmd": "x", "env_keys": ["TOKEN"]}, "keyring"),
        ("goose", {"type": "inline_python", "code": "x"}, "type"),
        ("claude", NPX | {"sandbox": True}, "`sandbox` cannot be said"),
        ("claude", {"url": WEB, "headersHelper": "x"}, "`headersHelper`"),
        ("claude", {"command": "node", "args": ["./server.js"]}, "relative"),
        ("claude", {"command": "x", "cwd": "sub"}, "relative"),
        ("claude", {"command": "x", "url": WEB}, "either"),
        ("claude", {}, "either"),
        ("claude", {"command": ""}, "no command"),
        ("claude", {"command": ["x"]}, "no text"),
        ("claude", {"command": "x", "args": "y"}, "no list"),
        ("claude", {"command": "x", "env": ["A=b"]}, "no object"),
        ("claude", {"command": "x", "timeout": -1}, "no time"),
        ("claude", {"command": "x", "timeout": 10**400}, "no time"),
        ("claude", {"command": "x", "env": {"A": "vault://secrets/theirs"}}, "something else"),
        ("claude", "npx", "no object"),
        ("claude", {"type": "carrier-pigeon", "command": "x"}, "none that Aileron knows"),
        ("cursor", NPX | {"disabled": "no"}, "neither true nor false"),
        ("cursor", {"url": WEB, "serverUrl": WEB}, "several of"),
        ("opencode", {"type": "odd", "command": ["x"]}, "neither local nor remote"),
        ("claude", {"url": "https://me:pw@a.example/"}, "password"),
        ("opencode", {"type": "remote", "url": WEB, "oauth": {"clientId": "x"}}, "client"),
    ],
)
def test_what_cannot_be_expressed_is_left_with_its_reason(agent: str, entry: Any, reason: str) -> None:
    said = one(agent, entry)
    assert isinstance(said, str)
    assert reason in said
    assert "hunter2" not in said


def test_where_an_agent_looks_that_is_none_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="nobody"):
        sources("nobody", home="/h", folder="/p", environ={}, macos=False)


def test_an_edit_that_would_change_anything_else_is_refused() -> None:
    careless = Syntax(read_text=json.loads, without=lambda _text, _keys: "{}", put_back=lambda *_: "no JSON")
    with pytest.raises(RegistrationError, match="do it by hand"):
        careless.taken_out('{"mcpServers": {"a": 1}, "mine": 2}', [("mcpServers", "a")])
    with pytest.raises(RegistrationError, match="is not an object"):
        careless.given_back('{"mcpServers": 3}', '{"mcpServers": {"a": 1}}', [("mcpServers", "a")])


def test_aileron_itself_is_never_taken_over() -> None:
    ours = {"mcpServers": {"aileron": {"command": "x"}, "mine": {"command": "/v/bin/aileron-mcp"}}}
    assert found_in(ours, FORMS["claude"], project=None) == []


def test_servers_of_a_project_work_in_its_folder() -> None:
    said = {"mcpServers": {}, "projects": {"/p": {"mcpServers": {"db": {"command": "x", "args": ["./db"]}}}, "/q": {}}}
    (found,) = found_in(said, FORMS["claude"], project=None)
    assert (found.key, found.server) == (
        ("projects", "/p", "mcpServers", "db"),
        Server(command=("x", "./db"), folder="/p"),
    )
    assert one("cursor", {"command": "x", "cwd": "../q"}, project="/p") == Server(command=("x",), folder="/q")


@pytest.mark.parametrize("said", [None, [], "x", {"mcpServers": []}, {"mcpServers": None, "projects": [1, {}]}])
def test_a_file_that_says_something_else_has_no_servers(said: Any) -> None:
    assert [found_in(said, form, project=None) for form in FORMS.values()] == [[]] * len(FORMS)


def test_each_agent_is_looked_for_where_it_looks() -> None:
    def paths(agent: str, *, macos: bool = False, **environ: str) -> list[str]:
        return [each.path for each in sources(agent, home="/h", folder="/p", environ=environ, macos=macos)]

    assert paths("claude") == ["/h/.claude.json", "/p/.mcp.json"]
    assert paths("claude", CLAUDE_CONFIG_DIR="/c")[0] == "/c/.claude.json"
    assert paths("claude-desktop") == ["/h/.config/Claude/claude_desktop_config.json"]
    assert paths("claude-desktop", macos=True) == ["/h/Library/Application Support/Claude/claude_desktop_config.json"]
    assert paths("codex", CODEX_HOME="/c") == ["/c/config.toml", "/p/.codex/config.toml"]
    assert paths("goose", XDG_CONFIG_HOME="/x") == ["/x/goose/config.yaml"]
    assert "/p/opencode.jsonc" in paths("opencode", OPENCODE_CONFIG="/o.json")
    assert "/o.json" in paths("opencode", OPENCODE_CONFIG="/o.json")
    assert paths("pi") == ["/h/.pi/agent/mcp.json", "/p/.pi/mcp.json"]
    assert sources("cursor", home="/h", folder="/h", environ={}, macos=False) == [
        Source("cursor", "/h/.cursor/mcp.json", "jsonc")
    ]
    assert all(paths(agent) for agent in AGENTS)


def test_a_named_file_has_the_form_that_it_says() -> None:
    assert (syntax_of("a.toml"), syntax_of("a.YML"), syntax_of("a.txt")) == ("toml", "yaml", None)
    assert form_of("jsonc", {"mcpServers": {}}) == "claude"
    assert form_of("jsonc", {"servers": {}}) == "vscode"
    assert form_of("jsonc", {"mcp": {}}) == "opencode"
    settings = {"editor.fontSize": 12, "mcp": {"inputs": [], "servers": {"it": {"command": "x"}}}}
    assert form_of("jsonc", settings) == "vscode"
    assert [found.key for found in found_in(settings, FORMS["vscode"], project=None)] == [("mcp", "servers", "it")]
    assert form_of("jsonc", {"x": {}}) is None


GITHUB = "ghp_0123456789abcdefghijABCDEFGHIJ456789"
RANDOM = "9f8Ab3kL0qZx7Vt2Rw5Ym1Nc"


def hidden(server: Server, *, is_secret: bool = True) -> tuple[dict[str, Any], dict[str, str]]:
    doubts: list[Doubt] = []

    def decide(doubt: Doubt) -> bool:
        doubts.append(doubt)
        return is_secret

    hiding = Hiding("it", free=lambda name, _: (name, False), is_secret=decide)
    body = hiding.body(server)
    assert all(secret.value not in json.dumps(secret.as_json()) for secret in hiding.secrets)
    return body, {secret.name: secret.value for secret in hiding.secrets}


@pytest.mark.parametrize(
    ("server", "key", "wanted", "secrets"),
    [
        (Server(command=("x",), env={"GH_TOKEN": "abc", "LEVEL": "debug"}), "env",
         {"GH_TOKEN": "vault://secrets/it/gh_token", "LEVEL": "debug"}, {"it/gh_token": "abc"}),
        (Server(command=("x", "--token", "abc", "--v")), "command",
         ["x", "--token", "vault://secrets/it/token", "--v"], {"it/token": "abc"}),
        (Server(command=("x", "--api-key=abc")), "command",
         ["x", "--api-key=vault://secrets/it/api-key"], {"it/api-key": "abc"}),
        (Server(command=("docker", "run", "-e", f"GH={GITHUB}", "-e", "TOKEN", "i")), "command",
         ["docker", "run", "-e", "GH=vault://secrets/it/gh", "-e", "TOKEN", "i"], {"it/gh": GITHUB}),
        (Server(command=("npx", "mcp-remote", WEB, "--header", "Authorization: Bearer abc")), "command",
         ["npx", "mcp-remote", WEB, "--header", "Authorization: Bearer vault://secrets/it/authorization"],
         {"it/authorization": "abc"}),
        (Server(command=("x", GITHUB)), "command", ["x", "vault://secrets/it/argument-1"], {"it/argument-1": GITHUB}),
        (Server(command=("x", "--key", "/etc/key.pem")), "command", ["x", "--key", "/etc/key.pem"], {}),
        (Server(command=("x", "postgres://me:hunter2@db/x")), "command",
         ["x", "vault://secrets/it/argument-1"], {"it/argument-1": "postgres://me:hunter2@db/x"}),
        (Server(command=("x", "https://a.example/?api_key=abc&x=1")), "command",
         ["x", "https://a.example/?api_key=vault://secrets/it/api_key&x=1"], {"it/api_key": "abc"}),
        (Server(url=f"{WEB}?key=a%26b&x=1"), "url", f"{WEB}?key=vault://secrets/it/key&x=1", {"it/key": "a&b"}),
        (Server(url=WEB, headers={"Authorization": "Bearer abc"}), "headers",
         {"Authorization": "Bearer vault://secrets/it/authorization"}, {"it/authorization": "abc"}),
    ],
)  # fmt: skip
def test_secrets_go_to_the_vault_from_every_place(
    server: Server, key: str, wanted: Any, secrets: dict[str, str]
) -> None:
    body, found = hidden(server)
    assert (body[key], found) == (wanted, secrets)
    assert body.get("unsafe_args", False) == (key == "command" and bool(secrets))


def test_what_only_looks_random_is_decided_by_the_person() -> None:
    server = Server(command=("x",), env={"ID": RANDOM})
    assert hidden(server)[1] == {"it/id": RANDOM}
    assert hidden(server, is_secret=False) == ({"name": "it", "mode": "local", "command": ["x"], "unsafe_args": False,
                                                "env": {"ID": RANDOM}, "enabled": True}, {})  # fmt: skip


@pytest.mark.parametrize(
    "server",
    [Server(url=f"https://a.example/s/{RANDOM}/mcp"), Server(url="http://a.example/", headers={"X-Token": "abc"})],
)
def test_a_secret_where_no_reference_may_stand_leaves_the_server(server: Server) -> None:
    with pytest.raises(LeftAloneError):
        hidden(server)


def test_a_backup_takes_no_tokens_in_plain_text_along() -> None:
    assert not belongs("imports/000001.json")
    assert belongs("servers.yaml")


def test_names_of_servers_keep_the_rules_and_are_given_once() -> None:
    taken = {"github"}
    assert server_name("GitHub", lambda name: name not in taken) == "github-2"
    assert server_name("My Notes (2)", lambda _: True) == "my-notes-2"
    assert server_name("@scope/x_y", lambda _: True) == "scope-x-y"
    assert server_name("3d", lambda _: True) == "server-3d"
    assert server_name("\u202e", lambda _: True) == "server"
    assert len(server_name("x" * 500, lambda name: name.endswith("-99"))) <= 40
