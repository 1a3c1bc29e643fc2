"""Codex CLI: everything by `-c`, which lays itself over the person's config.toml; the token goes by environment."""

import json
import tomllib
from typing import Any

from launchers.plan import START_SECONDS, TOKEN_HEADER, TOOL_SECONDS, LaunchContext, LaunchPlan, free_name
from launchers.registration.ownership import is_ours

CONFIG = ".codex/config.toml"
LOGIN = ".codex/auth.json"
_SESSION_HEADER = f'{{"{TOKEN_HEADER}" = "AILERON_TOKEN"}}'


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Codex is started."""
    server = {
        "command": json.dumps(context.mcp_command[0]),
        "args": json.dumps(list(context.mcp_command[1:])),
        # It hides its environment from servers; these names are let through.
        "env_vars": json.dumps(sorted(context.session_variables)),
        "enabled": "true",
        # Without this, a server that takes half a second to start is dropped without a word.
        "required": "true",
        "startup_timeout_sec": str(START_SECONDS),
        "tool_timeout_sec": str(TOOL_SECONDS),
        # The daemon decides what needs a person; asking twice would only teach people to say yes.
        "default_tools_approval_mode": '"approve"',
    }
    ours = _server_name(context)
    settings = {f"mcp_servers.{ours}.{name}": value for name, value in server.items()}
    settings |= {"check_for_update_on_startup": "false", "analytics.enabled": "false"}
    if context.sandboxed:
        settings |= _uncaged(context)
    model, notes = _model(context)
    settings |= model
    overrides = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return LaunchPlan(
        argv=(*context.executable, *overrides, *context.arguments), environment=context.session_variables, notes=notes
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
        "base_url": json.dumps(f"{context.models_url}/v1"),
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
    config = _config(text)
    return config is None or "model_provider" in config  # nothing is laid over what cannot be read


def _server_name(context: LaunchContext) -> str:
    """Return what our server is called: what we lay over a server of the person's own would be mixed with it."""
    servers = (_config(context.existing.get(CONFIG, "")) or {}).get("mcp_servers")
    theirs = servers if isinstance(servers, dict) else {}
    return free_name({name for name, entry in theirs.items() if not is_ours(entry)})


def _config(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return None  # Codex will say so itself
