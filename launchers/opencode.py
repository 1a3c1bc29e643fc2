"""opencode: inline configuration, laid over what the person has in files."""

import json
from typing import Any

from launchers.plan import TOOL_SECONDS, LaunchContext, LaunchError, LaunchPlan

_INLINE = "OPENCODE_CONFIG_CONTENT"
_PROVIDERS = frozenset({"anthropic", "openai"})


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how opencode is started."""
    server = {
        "type": "local",
        "command": list(context.mcp_command),
        "enabled": True,
        # One value for starting and for calls, in milliseconds.
        "timeout": TOOL_SECONDS * 1000,
    }
    ours: dict[str, Any] = {"autoupdate": False, "mcp": {"aileron": server}, "permission": {"aileron_*": "allow"}}
    if context.bound:
        options = {"baseURL": f"{context.models_url}/v1", "apiKey": context.token}
        ours["provider"] = {name: {"options": options} for name in sorted(context.bound & _PROVIDERS)}
    variables = {"OPENCODE_DISABLE_AUTOUPDATE": "1"}
    if context.sandboxed:
        ours["permission"] = {"*": "allow"}
        # It looks for newer models and plugins, and waits for both where there is no network.
        variables |= {"OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_registry": "http://127.0.0.1:9/"}
        # The project's own configuration is read-only inside, and it gives up where it cannot write beside it.
        variables |= {"OPENCODE_DISABLE_PROJECT_CONFIG": "1"}
    variables[_INLINE] = json.dumps(_laid_over(_theirs(context), ours))
    return LaunchPlan(argv=(*context.executable, *context.arguments), environment=context.session_variables | variables)


def _theirs(context: LaunchContext) -> dict[str, Any]:
    text = context.environment.get(_INLINE)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise LaunchError(f"{_INLINE} is set and is not JSON ({problem}), so nothing can be added to it.") from None
    if not isinstance(value, dict):
        raise LaunchError(f"{_INLINE} is set and is not a JSON object, so nothing can be added to it.")
    return value


def _laid_over(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    merged = dict(theirs)
    for name, value in ours.items():
        below = merged.get(name)
        merged[name] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
