"""opencode: inline configuration, laid over what the person has in files."""

import json
from typing import Any

from launchers.plan import TOKEN_HEADER, TOOL_SECONDS, LaunchContext, LaunchError, LaunchPlan
from launchers.registration.errors import RegistrationError
from launchers.registration.json_places import read_places

_INLINE = "OPENCODE_CONFIG_CONTENT"
CONFIGS = (".config/opencode/opencode.json", ".config/opencode/opencode.jsonc")
LOGINS = ".local/share/opencode/auth.json"
_PROVIDERS = ("anthropic", "openai")


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
    theirs = _theirs(context)
    routed = _routed(context, theirs)
    if routed:
        ours["provider"] = {name: {"options": options} for name, options in routed.items()}
    variables = {"OPENCODE_DISABLE_AUTOUPDATE": "1"}
    if context.sandboxed:
        ours["permission"] = {"*": "allow"}
        # It looks for newer models and plugins, and waits for both where there is no network.
        variables |= {"OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_registry": "http://127.0.0.1:9/"}
        # The project's own configuration is read-only inside, and it gives up where it cannot write beside it.
        variables |= {"OPENCODE_DISABLE_PROJECT_CONFIG": "1"}
    variables[_INLINE] = json.dumps(_laid_over(theirs, ours))
    return LaunchPlan(argv=(*context.executable, *context.arguments), environment=context.session_variables | variables)


def _routed(context: LaunchContext, inline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Send the requests of those providers through the daemon for which there is a key, here or there.

    Our options win over the person's files, logins and variables; so where they have said anything, nothing is laid
    over it, and with a key in their environment the daemon gets the token beside it.
    """
    set_up = _set_up(json.dumps(inline)) | _login_names(context)
    for name in CONFIGS:
        set_up |= _set_up(context.existing.get(name, ""))
    routed: dict[str, dict[str, Any]] = {}
    for name in _PROVIDERS:
        place = {"baseURL": f"{context.models_url}/v1"}
        if name in set_up:
            continue
        if context.environment.get(f"{name.upper()}_API_KEY"):
            routed[name] = place | {"headers": {TOKEN_HEADER: context.token}}
        elif name in context.bound:
            routed[name] = place | {"apiKey": context.token}
    return routed


def _set_up(text: str) -> frozenset[str]:
    """Return the providers for which a configuration says where requests go, or with which key."""
    if not text.strip():
        return frozenset()
    try:
        root = read_places(text, comments=True)
    except RegistrationError:
        return frozenset(_PROVIDERS)  # opencode will say itself what is wrong; nothing is laid over what cannot be read
    found = set()
    for name in _PROVIDERS:
        options = root.below("provider", name, "options")
        if options is not None and not {"baseURL", "apiKey"}.isdisjoint(options.members or {}):
            found.add(name)
    return frozenset(found)


def _login_names(context: LaunchContext) -> frozenset[str]:
    try:
        logins = json.loads(context.existing.get(LOGINS) or "{}")
    except ValueError:
        return frozenset()
    return frozenset(logins) if isinstance(logins, dict) else frozenset()


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
