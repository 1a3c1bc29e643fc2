"""Pi: since 0.99 it has servers of its own, but no flag for them; so it gets a folder that mirrors the person's."""

import json
from typing import Any

from launchers.plan import TOOL_SECONDS, LaunchContext, LaunchError, LaunchPlan, PlacedFile

NATIVE = (0, 99)
AGENT_FOLDER = ".pi/agent"
SERVERS = f"{AGENT_FOLDER}/mcp.json"
_OURS = "mcp.json"


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Pi is started."""
    return _native(context) if context.version >= NATIVE else _adapter(context)


def _native(context: LaunchContext) -> LaunchPlan:
    folder = f"{context.scratch}/pi"
    theirs = context.environment.get("PI_CODING_AGENT_DIR") or f"{context.home}/{AGENT_FOLDER}"
    servers = _servers(context)
    server = {
        "command": context.mcp_command[0],
        "args": list(context.mcp_command[1:]),
        # Otherwise the model sees the tools only through code it would have to write.
        "exposure": "direct",
        "timeout": TOOL_SECONDS,
    }
    merged = servers | {"mcpServers": servers.get("mcpServers", {}) | {"aileron": server}}
    links = [
        PlacedFile(path=f"{folder}/{name}", link_to=f"{theirs}/{name}") for name in sorted(context.present - {_OURS})
    ]
    return LaunchPlan(
        argv=(*context.executable, *context.arguments),
        environment=context.session_variables | _quiet(context) | {"PI_CODING_AGENT_DIR": folder},
        files=(PlacedFile(path=f"{folder}/{_OURS}", text=json.dumps(merged, indent=2) + "\n"), *links),
    )


def _servers(context: LaunchContext) -> dict[str, Any]:
    text = context.existing.get(SERVERS, "")
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError as problem:
        raise LaunchError(f"~/{SERVERS} is not JSON ({problem}); mend it, and the servers in it are kept.") from None
    if not isinstance(value, dict) or not isinstance(value.get("mcpServers", {}), dict):
        raise LaunchError(f"~/{SERVERS} is not an object with `mcpServers`; mend it, and the servers in it are kept.")
    return value


def _adapter(context: LaunchContext) -> LaunchPlan:
    path = f"{context.scratch}/pi-mcp.json"
    server = {
        "command": context.mcp_command[0],
        "args": list(context.mcp_command[1:]),
        "directTools": True,
        "requestTimeoutMs": TOOL_SECONDS * 1000,
    }
    return LaunchPlan(
        argv=(*context.executable, "--mcp-config", path, *context.arguments),
        environment=context.session_variables | _quiet(context),
        files=(PlacedFile(path=path, text=json.dumps({"mcpServers": {"aileron": server}}, indent=2) + "\n"),),
        notes=("This Pi is older than 0.99: it needs the extension pi-mcp-adapter to see any tools of servers.",),
    )


def _quiet(context: LaunchContext) -> dict[str, str]:
    return {} if "PI_TELEMETRY" in context.environment else {"PI_TELEMETRY": "0"}
