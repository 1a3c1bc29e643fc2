"""Codex CLI: everything by `-c`, which lays itself over the person's config.toml; the token goes by environment."""

import json

from launchers.plan import START_SECONDS, TOOL_SECONDS, LaunchContext, LaunchPlan


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
    ours = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return LaunchPlan(argv=(*context.executable, *ours, *context.arguments), environment=context.session_variables)
