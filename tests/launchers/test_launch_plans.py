"""Plans are pure: what each agent is started with, and what must never be in it."""

import json
import tomllib
from typing import Any

import pytest

from launchers.agents import AGENTS
from launchers.plan import LaunchContext, LaunchError, LaunchPlan
from launchers.registration.entries import PLACES

TOKEN = "ailt_sentinel.token"
VARIABLES = {
    "AILERON_URL": "http://127.0.0.1:4711",
    "AILERON_TOKEN": TOKEN,
    "AILERON_SESSION_ID": "ses_1",
}
NEW = {"claude": (2, 1, 329), "codex": (0, 169, 0), "goose": (1, 52, 0), "opencode": (1, 18, 33), "pi": (1, 5, 2)}


def context(name: str, *arguments: str, **more: Any) -> LaunchContext:
    given: dict[str, Any] = {
        "executable": (f"/usr/bin/{name}",),
        "version": NEW[name],
        "arguments": arguments,
        "mcp_command": ("/opt/a b/python", "-m", "aileron_mcp"),
        "agent_url": VARIABLES["AILERON_URL"],
        "token": TOKEN,
        "session_id": "ses_1",
        "scratch": "/run/launch-1",
        "home": "/home/ann",
    }
    return LaunchContext(**(given | more))


def plan(name: str, *arguments: str, **more: Any) -> LaunchPlan:
    return AGENTS[name].plan(context(name, *arguments, **more))


@pytest.mark.parametrize("name", AGENTS)
def test_every_plan_gives_the_server_its_session_and_shows_the_token_to_nobody_else(name: str) -> None:
    made = plan(name, "run", "do it")
    assert made.environment.items() >= VARIABLES.items()
    assert TOKEN not in str(made.argv)  # everybody on the machine can read it there
    assert all(TOKEN not in file.text for file in made.files)
    assert TOKEN not in repr(made)
    assert TOKEN not in repr(context(name))


@pytest.mark.parametrize("name", AGENTS)
def test_every_plan_keeps_what_the_person_wrote_in_order_and_places_files_in_its_own_folder(name: str) -> None:
    made = plan(name, "run", "--flag", "do it")
    assert made.argv[0] == f"/usr/bin/{name}"
    mine = [part for part in made.argv if part in {"run", "--flag", "do it"}]
    assert mine == ["run", "--flag", "do it"]
    assert all(file.path.startswith("/run/launch-1/") for file in made.files)


def test_claude_gets_a_server_beside_the_persons_own_and_its_tools_without_a_prompt() -> None:
    made = plan("claude", "-p", "hello")
    assert made.argv[1:] == ("--mcp-config=/run/launch-1/claude-mcp.json", "--allowedTools=mcp__aileron", "-p", "hello")
    assert "--strict-mcp-config" not in made.argv
    server = json.loads(made.files[0].text)["mcpServers"]["aileron"]
    assert (server["command"], server["args"]) == ("/opt/a b/python", ["-m", "aileron_mcp"])
    assert server["timeout"] >= 3_600_000
    assert made.environment["ENABLE_TOOL_SEARCH"] == "false"


def test_what_the_person_set_for_claude_stays() -> None:
    made = plan("claude", environment={"ENABLE_TOOL_SEARCH": "true", "MCP_TIMEOUT": "5"})
    assert "ENABLE_TOOL_SEARCH" not in made.environment
    assert "MCP_TIMEOUT" not in made.environment


def test_codex_gets_a_required_server_that_it_lets_the_variables_through_to() -> None:
    argv = plan("codex", "exec", "hi").argv
    settings = [argv[place + 1] for place, part in enumerate(argv) if part == "-c"]
    read: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        read[name] = tomllib.loads(f"value = {value}")["value"]
    server = {name.removeprefix("mcp_servers.aileron."): value for name, value in read.items() if "aileron" in name}
    assert server["required"] is True
    assert server["command"] == "/opt/a b/python"
    assert server["args"] == ["-m", "aileron_mcp"]
    assert set(server["env_vars"]) == set(VARIABLES)
    assert server["default_tools_approval_mode"] == "approve"
    assert server["tool_timeout_sec"] >= 3600
    assert argv[-2:] == ("exec", "hi")


def test_goose_gets_an_extension_in_the_subcommand_that_was_chosen() -> None:
    made = plan("goose", "run", "-t", "hi")
    assert made.argv[1:4] == ("run", "--with-extension", "aileron:'/opt/a b/python' -m aileron_mcp")
    assert plan("goose").argv[1] == "session"
    with pytest.raises(LaunchError, match="run -t"):
        plan("goose", "configure")
    assert plan("goose", "run", environment={"GOOSE_MODE": "approve"}).notes


def test_opencode_gets_inline_configuration_laid_over_the_persons_own() -> None:
    theirs = json.dumps({"mcp": {"mine": {"type": "local"}}, "permission": {"bash": "ask"}, "theme": "x"})
    made = plan("opencode", "run", "hi", environment={"OPENCODE_CONFIG_CONTENT": theirs})
    merged = json.loads(made.environment["OPENCODE_CONFIG_CONTENT"])
    assert set(merged["mcp"]) == {"mine", "aileron"}
    assert merged["mcp"]["aileron"]["command"] == ["/opt/a b/python", "-m", "aileron_mcp"]
    assert merged["permission"] == {"bash": "ask", "aileron_*": "allow"}
    assert merged["theme"] == "x"
    for broken in ("{", "[]"):
        with pytest.raises(LaunchError, match="OPENCODE_CONFIG_CONTENT"):
            plan("opencode", environment={"OPENCODE_CONFIG_CONTENT": broken})


def test_pi_gets_a_folder_that_mirrors_the_persons_with_one_server_more() -> None:
    theirs = json.dumps({"mcpServers": {"mine": {"command": "x"}}, "other": 1})
    made = plan(
        "pi",
        "-p",
        "hi",
        existing={".pi/agent/mcp.json": theirs},
        present=frozenset({"mcp.json", "auth.json", "skills"}),
    )
    assert made.environment["PI_CODING_AGENT_DIR"] == "/run/launch-1/pi"
    placed = {file.path: file for file in made.files}
    merged = json.loads(placed["/run/launch-1/pi/mcp.json"].text)
    assert set(merged["mcpServers"]) == {"mine", "aileron"}
    assert merged["other"] == 1
    assert merged["mcpServers"]["aileron"]["exposure"] == "direct"
    assert placed["/run/launch-1/pi/auth.json"].link_to == "/home/ann/.pi/agent/auth.json"
    assert placed["/run/launch-1/pi/skills"].link_to == "/home/ann/.pi/agent/skills"
    for broken in ("{", "[]", '{"mcpServers": []}'):
        with pytest.raises(LaunchError, match=r"mcp\.json"):
            plan("pi", existing={".pi/agent/mcp.json": broken})


def test_an_older_pi_is_told_by_the_flag_of_its_adapter() -> None:
    made = plan("pi", "-p", "hi", version=(0, 87, 1))
    assert made.argv[1:] == ("--mcp-config", "/run/launch-1/pi-mcp.json", "-p", "hi")
    assert json.loads(made.files[0].text)["mcpServers"]["aileron"]["directTools"] is True
    assert "pi-mcp-adapter" in made.notes[0]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("codex-cli 0.169.0", (0, 169, 0)),
        ("2.1.329 (Claude Code)", (2, 1, 329)),
        (" 1.52.0\n", (1, 52, 0)),
        ("v1.5", (1, 5, 0)),
        ("no idea", None),
    ],
)
def test_versions_are_read_as_the_agents_say_them(said: str, read: tuple[int, ...] | None) -> None:
    assert AGENTS["codex"].read_version(said) == read


BOTH = frozenset({"anthropic", "openai"})


@pytest.mark.parametrize("name", AGENTS)
def test_with_bound_keys_the_token_is_still_in_nobodys_argv(name: str) -> None:
    made = plan(name, "run", bound=BOTH)
    assert TOKEN not in str(made.argv)
    assert all(TOKEN not in file.text for file in made.files)


def test_a_bound_key_sends_model_requests_through_the_daemon() -> None:
    claude = plan("claude", bound=BOTH).environment
    assert claude["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:4711/llm/ses_1"
    assert claude["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    codex = " ".join(plan("codex", bound=BOTH).argv)
    assert 'model_providers.aileron.base_url="http://127.0.0.1:4711/llm/ses_1/v1"' in codex
    assert 'model_providers.aileron.env_key="AILERON_TOKEN"' in codex
    goose = plan("goose", bound=BOTH).environment
    assert (goose["OPENAI_HOST"], goose["OPENAI_API_KEY"]) == ("http://127.0.0.1:4711/llm/ses_1", TOKEN)
    inline = json.loads(plan("opencode", bound=BOTH).environment["OPENCODE_CONFIG_CONTENT"])
    assert inline["provider"]["openai"]["options"]["baseURL"] == "http://127.0.0.1:4711/llm/ses_1/v1"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("claude", {"environment": {"ANTHROPIC_BASE_URL": "mine"}}),
        ("claude", {"environment": {"CLAUDE_CODE_USE_BEDROCK": "1"}}),
        ("codex", {"existing": {".codex/config.toml": 'model_provider = "mine"'}}),
        ("codex", {"existing": {".codex/config.toml": "not = = toml"}}),
        ("goose", {"environment": {"OPENAI_HOST": "http://mine", "ANTHROPIC_HOST": "http://mine"}}),
    ],
)
def test_where_the_person_sends_model_requests_themselves_they_stay(name: str, more: dict[str, Any]) -> None:
    made = plan(name, bound=BOTH, **more)
    assert "/llm/" not in str(made.argv) + str(dict(made.environment))


def test_a_key_of_the_persons_own_goes_through_the_daemon_and_stays_theirs() -> None:
    models = "http://127.0.0.1:4711/llm/ses_1"
    claude = plan("claude", bound=BOTH, environment={"ANTHROPIC_API_KEY": "mine"}).environment
    assert claude["ANTHROPIC_BASE_URL"] == models
    assert claude["ANTHROPIC_CUSTOM_HEADERS"] == f"X-Aileron-Token: {TOKEN}"
    assert "ANTHROPIC_AUTH_TOKEN" not in claude
    goose = plan("goose", environment={"OPENAI_API_KEY": "mine"}).environment
    assert goose["OPENAI_HOST"] == models
    assert goose["OPENAI_CUSTOM_HEADERS"] == f"X-Aileron-Token={TOKEN}"
    assert "OPENAI_API_KEY" not in goose
    assert "ANTHROPIC_HOST" not in goose
    for more, how in (
        ({"environment": {"CODEX_API_KEY": "mine"}}, 'env_key="CODEX_API_KEY"'),
        ({"existing": {".codex/auth.json": '{"OPENAI_API_KEY": "mine"}'}}, "requires_openai_auth=true"),
    ):
        codex = " ".join(plan("codex", bound=BOTH, **more).argv)
        assert how in codex
        assert 'env_http_headers={"X-Aileron-Token" = "AILERON_TOKEN"}' in codex
        assert "mine" not in codex
    chatgpt = {".codex/auth.json": '{"OPENAI_API_KEY": null, "tokens": {"access_token": "x"}}'}
    assert "/llm/" not in str(plan("codex", existing=chatgpt).argv)


@pytest.mark.parametrize("name", AGENTS)
def test_without_a_bound_key_model_requests_are_left_alone(name: str) -> None:
    made = plan(name)
    assert "/llm/" not in str(made.argv) + str(dict(made.environment))


def test_pi_is_sent_through_the_daemon_only_where_the_person_has_not_set_it_up() -> None:
    def routed(**context: Any) -> dict[str, Any]:
        made = plan("pi", bound=BOTH, present=frozenset({"settings.json"}), **context)
        placed = {file.path: file for file in made.files}
        assert placed["/run/launch-1/pi/auth.json"].link_to == "/home/ann/.pi/agent/auth.json"
        models = placed.get("/run/launch-1/pi/models.json")
        providers: dict[str, Any] = {} if models is None else json.loads(models.text)["providers"]
        return providers

    through = {
        "openai": {"baseUrl": "http://127.0.0.1:4711/llm/ses_1/v1", "apiKey": "$AILERON_TOKEN"},
        "anthropic": {"baseUrl": "http://127.0.0.1:4711/llm/ses_1", "apiKey": "$AILERON_TOKEN"},
    }
    assert routed() == through
    own = {"baseUrl": through["openai"]["baseUrl"], "headers": {"X-Aileron-Token": "$AILERON_TOKEN"}}
    assert routed(environment={"OPENAI_API_KEY": "sk"}) == {"openai": own, "anthropic": through["anthropic"]}
    assert routed(existing={".pi/agent/auth.json": '{"anthropic": {}}'}) == {"openai": through["openai"]}
    mine = {"openai": {"baseUrl": "http://x"}, "local": {}}
    theirs = {".pi/agent/models.json": json.dumps({"providers": mine})}
    assert routed(existing=theirs) == {**mine, "anthropic": through["anthropic"]}


@pytest.mark.parametrize("own", [{}, {"OPENAI_API_KEY": "mine", "ANTHROPIC_API_KEY": "mine", "CODEX_API_KEY": "mine"}])
@pytest.mark.parametrize("name", AGENTS)
def test_the_address_of_the_model_holds_no_token_because_agents_print_it(name: str, own: dict[str, str]) -> None:
    made = plan(name, bound=BOTH, environment=own)
    everything = [*made.argv, *made.environment.values(), *(file.text for file in made.files)]
    assert any("/llm/ses_1" in text for text in everything)
    assert not any(f"/llm/{TOKEN}" in text for text in everything)


def test_headers_of_the_persons_own_stay_beside_the_token() -> None:
    mine = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_CUSTOM_HEADERS": "X-Mine: 1\n"}
    assert plan("claude", environment=mine).environment["ANTHROPIC_CUSTOM_HEADERS"] == (
        f"X-Mine: 1\nX-Aileron-Token: {TOKEN}"
    )
    mine = {"OPENAI_API_KEY": "k", "OPENAI_CUSTOM_HEADERS": "X-Mine=1"}
    assert plan("goose", environment=mine).environment["OPENAI_CUSTOM_HEADERS"] == f"X-Mine=1,X-Aileron-Token={TOKEN}"


def opencode_routes(**more: Any) -> dict[str, Any]:
    inline = json.loads(plan("opencode", **more).environment["OPENCODE_CONFIG_CONTENT"])
    return {name: value["options"] for name, value in inline.get("provider", {}).items()}


def test_opencode_uses_the_key_of_the_persons_environment_also_where_one_is_bound() -> None:
    place = {"baseURL": "http://127.0.0.1:4711/llm/ses_1/v1"}
    bound = place | {"apiKey": TOKEN}
    own = place | {"headers": {"X-Aileron-Token": TOKEN}}
    assert opencode_routes() == {}
    assert opencode_routes(bound=BOTH) == {"anthropic": bound, "openai": bound}
    assert opencode_routes(bound=BOTH, environment={"OPENAI_API_KEY": "mine"}) == {"anthropic": bound, "openai": own}
    assert opencode_routes(environment={"OPENAI_API_KEY": "mine"}) == {"openai": own}
    assert opencode_routes(bound=BOTH, environment={"OPENAI_API_KEY": ""}) == {"anthropic": bound, "openai": bound}


@pytest.mark.parametrize(
    "existing",
    [
        {".local/share/opencode/auth.json": '{"openai": {"type": "api", "key": "mine"}}'},
        {".config/opencode/opencode.json": '{"provider": {"openai": {"options": {"apiKey": "mine"}}}}'},
        {".config/opencode/opencode.jsonc": '// x\n{"provider": {"openai": {"options": {"baseURL": "http://x",}}}}'},
    ],
)
def test_opencode_keeps_a_login_and_what_its_files_say_of_a_provider(existing: dict[str, str]) -> None:
    assert list(opencode_routes(bound=BOTH, existing=existing)) == ["anthropic"]
    inline = json.dumps({"provider": {"openai": {"options": {"apiKey": "mine"}}}})
    routes = opencode_routes(bound=BOTH, environment={"OPENCODE_CONFIG_CONTENT": inline})
    assert routes["openai"] == {"apiKey": "mine"}


def goose_extension(config: str, *arguments: str) -> str | None:
    argv = plan("goose", *(arguments or ("run",)), existing={".config/goose/config.yaml": config}).argv
    return argv[argv.index("--with-extension") + 1].partition(":")[0] if "--with-extension" in argv else None


def test_goose_gets_an_extension_by_a_name_that_is_free() -> None:
    registered = PLACES["goose"].put_in("", PLACES["goose"].entry(("/opt/a b/aileron-mcp",), {}))
    assert goose_extension("") == "aileron"
    assert goose_extension("GOOSE_MODEL: x\n") == "aileron"
    assert goose_extension(registered) is None  # it is there already, and has the session by the environment
    assert goose_extension(registered, "run", "--no-profile") == "aileron"
    assert goose_extension(registered.replace('"enabled": true', '"enabled": false')) == "aileron_launch"
    assert goose_extension(registered.replace("/opt/a b", "/elsewhere")) == "aileron_launch"
    for taken in ("aileron: {cmd: x}", "x: {name: Aileron}", "x: {name: a ileron}"):
        assert goose_extension(f"extensions:\n  {taken}\n") == "aileron_launch"
    assert goose_extension("extensions:\n  aileron: {cmd: x}\n  aileron_launch: {cmd: x}\n") == "aileron_launch_2"
    elsewhere = {"environment": {"GOOSE_PATH_ROOT": "/x"}, "existing": {".config/goose/config.yaml": registered}}
    assert "--with-extension" in plan("goose", "run", **elsewhere).argv
    assert goose_extension("a: [") == "aileron"  # Goose will say what is wrong with it


@pytest.mark.parametrize("said", ["OPENAI_HOST: http://mine\n", "OPENAI_BASE_URL: http://mine/v1\n"])
def test_where_gooses_own_file_sends_model_requests_they_stay(said: str) -> None:
    made = plan("goose", "run", bound=BOTH, existing={".config/goose/config.yaml": said})
    assert "OPENAI_HOST" not in made.environment
    assert "ANTHROPIC_HOST" in made.environment


def test_codex_is_not_given_a_mixture_of_our_server_and_one_of_the_persons_own() -> None:
    def names(config: str) -> set[str]:
        argv = plan("codex", existing={".codex/config.toml": config}).argv
        return {part.split(".")[1] for part in argv if part.startswith("mcp_servers.")}

    assert names("") == {"aileron"}
    assert names('[mcp_servers.aileron]\ncommand = "/x/aileron-mcp"\nenabled = false\n') == {"aileron"}
    assert "mcp_servers.aileron.enabled=true" in plan("codex").argv
    assert names('[mcp_servers.aileron]\nurl = "http://x"\n') == {"aileron_launch"}
    assert names('mcp_servers = { aileron = { command = "x" } }\n') == {"aileron_launch"}
    assert names("mcp_servers = 3\n") == {"aileron"}
