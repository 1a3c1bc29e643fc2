"""Codex CLI: everything by `-c`, which lays itself over the person's config.toml; the token goes by environment."""

import json
import tomllib

from launchers.plan import START_SECONDS, TOOL_SECONDS, LaunchContext, LaunchPlan

CONFIG = ".codex/config.toml"
LOGIN = ".codex/auth.json"
_SESSION_HEADER = '{"X-Aileron-Token" = "AILERON_TOKEN"}'


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Codex is started."""
    server = {
        "command": json.dumps(context.mcp_command[0]),
        "args": json.dumps(list(context.mcp_command[1:])),
        # It hides its environment from servers; these names are let through.
        "env_vars": json.dumps(sorted(context.session_variables)),
        # Without this, a server that takes half a second to start is dropped without a word.
        "required": "true",
        "startup_timeout_sec": str(START_SECONDS),
        "tool_timeout_sec": str(TOOL_SECONDS),
        # The daemon decides what needs a person; asking twice would only teach people to say yes.
        "default_tools_approval_mode": '"approve"',
    }
    settings = {f"mcp_servers.aileron.{name}": value for name, value in server.items()}
    settings |= {"check_for_update_on_startup": "false", "analytics.enabled": "false"}
    if context.sandboxed:
        settings |= _uncaged(context)
    model, notes = _model(context)
    settings |= model
    ours = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return LaunchPlan(
        argv=(*context.executable, *ours, *context.arguments), environment=context.session_variables, notes=notes
    )


def _uncaged(context: LaunchContext) -> dict[str, str]:
    """Turn its own sandbox off: it wants to nest one, which the container does not allow, being one."""
    settings = {"projects": f'{{{json.dumps(context.workspace)}={{trust_level="trusted"}}}}'}
    if not context.asks_for("-s", "--sandbox", "--full-auto", "--dangerously-bypass-approvals-and-sandbox"):
        settings["sandbox_mode"] = '"danger-full-access"'
    if not context.asks_for("-a", "--ask-for-approval", "--full-auto", "--dangerously-bypass-approvals-and-sandbox"):
        settings["approval_policy"] = '"never"'
    return settings


def _model(context: LaunchContext) -> tuple[dict[str, str], tuple[str, ...]]:
    """Send model requests through the daemon, unless the person has chosen a provider of their own."""
    own = "CODEX_API_KEY" in context.environment or _has_key(context.existing.get(LOGIN, ""))
    if not own and "openai" not in context.bound:
        return {}, ()
    if _has_provider(context.existing.get(CONFIG, "")):
        note = "Codex has a model provider of your choice, so its model requests do not go through Aileron."
        return {}, (note,)
    provider = {
        "name": '"OpenAI through Aileron"',
        # The session's name and not its token: everybody on the machine can read argv.
        "base_url": json.dumps(f"{context.agent_url}/llm/{context.session_id}/v1"),
        "wire_api": '"responses"',
    }
    if "CODEX_API_KEY" in context.environment:
        provider |= {"env_key": '"CODEX_API_KEY"', "env_http_headers": _SESSION_HEADER}
    elif own:
        provider |= {"requires_openai_auth": "true", "env_http_headers": _SESSION_HEADER}
    else:
        provider["env_key"] = '"AILERON_TOKEN"'
    settings = {f"model_providers.aileron.{name}": value for name, value in provider.items()}
    return {"model_provider": '"aileron"', **settings}, ()


def _has_key(text: str) -> bool:
    """Say whether the login is an API key; what a ChatGPT login is good for lies elsewhere than the API."""
    try:
        login = json.loads(text) if text else {}
    except ValueError:
        return False
    return isinstance(login, dict) and bool(login.get("OPENAI_API_KEY")) and not login.get("tokens")


def _has_provider(text: str) -> bool:
    try:
        return "model_provider" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return True  # it will say so itself; nothing is laid over what cannot be read
