"""Pi: since 0.99 it has servers of its own, but no flag for them; so it gets a folder that mirrors the person's."""

import json
from typing import Any

from launchers.plan import TOKEN_HEADER, TOOL_SECONDS, LaunchContext, LaunchError, LaunchPlan, PlacedFile

NATIVE = (0, 99)
AGENT_FOLDER = ".pi/agent"
SERVERS = f"{AGENT_FOLDER}/mcp.json"
MODELS = f"{AGENT_FOLDER}/models.json"
LOGINS = f"{AGENT_FOLDER}/auth.json"
_WRITTEN = ("auth.json", "settings.json")
"""What Pi writes by itself: linked also where it is not there yet, so that it does not vanish with the session."""
_SESSIONS = "PI_CODING_AGENT_SESSION_DIR"


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Pi is started."""
    return _native(context) if context.version >= NATIVE else _adapter(context)


def _native(context: LaunchContext) -> LaunchPlan:
    folder = f"{context.scratch}/pi"
    theirs = context.environment.get("PI_CODING_AGENT_DIR") or f"{context.home}/{AGENT_FOLDER}"
    server = {
        "command": context.mcp_command[0],
        "args": list(context.mcp_command[1:]),
        # Otherwise the model sees the tools only through code it would have to write.
        "exposure": "direct",
        "timeout": TOOL_SECONDS,
    }
    ours = {"mcp.json": _added(_read(context, SERVERS), "mcpServers", {"aileron": server})}
    routed = _models(context)
    if routed:
        ours["models.json"] = _added(_read(context, MODELS), "providers", routed)
    linked = (context.present | frozenset(_WRITTEN if context.present else ())) - frozenset(ours)
    files = [
        PlacedFile(path=f"{folder}/{name}", text=json.dumps(value, indent=2) + "\n") for name, value in ours.items()
    ]
    links = [PlacedFile(path=f"{folder}/{name}", link_to=f"{theirs}/{name}") for name in sorted(linked)]
    sessions = {} if _SESSIONS in context.environment else {_SESSIONS: f"{theirs}/sessions"}
    return LaunchPlan(
        argv=(*context.executable, *context.arguments),
        environment=context.session_variables | _quiet(context) | sessions | {"PI_CODING_AGENT_DIR": folder},
        files=(*files, *links),
    )


def _models(context: LaunchContext) -> dict[str, dict[str, Any]]:
    """Send the requests of those providers through the daemon for which there is a key, here or there."""
    # What they logged in to wins over every key, so a daemon in between would be given a login it cannot use.
    set_up = _read(context, MODELS).get("providers", {}).keys() | _read(context, LOGINS).keys()
    routed: dict[str, dict[str, Any]] = {}
    for name, version in (("openai", "/v1"), ("anthropic", "")):
        if name in set_up:
            continue
        place = {"baseUrl": f"{context.models_url}{version}"}
        if f"{name.upper()}_API_KEY" in context.environment:
            routed[name] = place | {"headers": {TOKEN_HEADER: "$AILERON_TOKEN"}}
        elif name in context.bound:
            routed[name] = place | {"apiKey": "$AILERON_TOKEN"}
    return routed


def _added(theirs: dict[str, Any], key: str, entries: dict[str, Any]) -> dict[str, Any]:
    return theirs | {key: theirs.get(key, {}) | entries}


def _read(context: LaunchContext, name: str) -> dict[str, Any]:
    text = context.existing.get(name, "")
    key = {SERVERS: "mcpServers", MODELS: "providers"}.get(name, "")
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError as problem:
        raise LaunchError(f"~/{name} is not JSON ({problem}); mend it, and what is in it is kept.") from None
    if not isinstance(value, dict) or not isinstance(value.get(key, {}), dict):
        with_key = f" with `{key}`" if key else ""
        raise LaunchError(f"~/{name} is not an object{with_key}; mend it, and what is in it is kept.")
    return value


def _adapter(context: LaunchContext) -> LaunchPlan:
    path = f"{context.scratch}/pi-mcp.json"
    server = {
        "command": context.mcp_command[0],
        "args": list(context.mcp_command[1:]),
        "directTools": True,
        "requestTimeoutMs": TOOL_SECONDS * 1000,
    }
    # The flag takes the place of the person's own file, so what is in that one stands in ours, too.
    merged = _added(_read(context, SERVERS), "mcpServers", {"aileron": server})
    return LaunchPlan(
        argv=(*context.executable, "--mcp-config", path, *context.arguments),
        environment=context.session_variables | _quiet(context),
        files=(PlacedFile(path=path, text=json.dumps(merged, indent=2) + "\n"),),
        notes=("This Pi is older than 0.99: it needs the extension pi-mcp-adapter to see any tools of servers.",),
    )


def _quiet(context: LaunchContext) -> dict[str, str]:
    return {} if "PI_TELEMETRY" in context.environment else {"PI_TELEMETRY": "0"}
