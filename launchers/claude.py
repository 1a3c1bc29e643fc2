"""Claude Code: the server comes by a file of the session, and the person's own settings stay in force."""

import json

from launchers.plan import START_SECONDS, TOKEN_HEADER, TOOL_SECONDS, LaunchContext, LaunchPlan, PlacedFile

_OWN_KEYS = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"})
_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_ELSEWHERE = frozenset({"ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"})


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Claude Code is started."""
    path = f"{context.scratch}/claude-mcp.json"
    # It hands its whole environment to the server, so the file holds no token.
    server = {
        "type": "stdio",
        "command": context.mcp_command[0],
        "args": list(context.mcp_command[1:]),
        "timeout": TOOL_SECONDS * 1000,
    }
    # With `=`, because these options take any number of values and would swallow the person's prompt.
    ours: tuple[str, ...] = (f"--mcp-config={path}", "--allowedTools=mcp__aileron")
    quiet = {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "MCP_TIMEOUT": str(START_SECONDS * 1000),
        # Otherwise the tools are hidden behind a search that the model may not think of.
        "ENABLE_TOOL_SEARCH": "false",
    }
    unset = {name: value for name, value in quiet.items() if name not in context.environment}
    unset |= _model(context)
    files = [PlacedFile(path=path, text=json.dumps({"mcpServers": {"aileron": server}}, indent=2) + "\n")]
    if context.sandboxed:
        files.append(_first_run(context))
        # In a rootless engine it runs as what is called root there, and would refuse.
        unset |= {"IS_SANDBOX": "1"}
        if not context.asks_for("--permission-mode", "--dangerously-skip-permissions"):
            ours = (*ours, "--dangerously-skip-permissions")
    return LaunchPlan(
        argv=(*context.executable, *ours, *context.arguments),
        environment=context.session_variables | unset,
        files=tuple(files),
    )


def _first_run(context: LaunchContext) -> PlacedFile:
    """Answer what it asks when its home is empty."""
    project = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    state = {
        "hasCompletedOnboarding": True,
        "bypassPermissionsModeAccepted": True,
        "projects": {context.workspace: project},
    }
    return PlacedFile(path=f"{context.home}/.claude.json", text=json.dumps(state) + "\n")


def _model(context: LaunchContext) -> dict[str, str]:
    """Send model requests through the daemon, with the person's own key if there is one, unless they go elsewhere."""
    if not _ELSEWHERE.isdisjoint(context.environment):
        return {}
    if not _OWN_KEYS.isdisjoint(context.environment):
        theirs = context.environment.get(_HEADERS, "").rstrip("\n")
        headers = f"{TOKEN_HEADER}: {context.token}"  # one on each line
        return {"ANTHROPIC_BASE_URL": context.models_url, _HEADERS: f"{theirs}\n{headers}" if theirs else headers}
    if "anthropic" not in context.bound:
        return {}  # it has a login of its own, or will ask for one
    # Not as an API key: about one of those it asks the person before it uses it.
    return {"ANTHROPIC_BASE_URL": context.models_url, "ANTHROPIC_AUTH_TOKEN": context.token}
