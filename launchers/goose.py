"""Goose: an extension by flag, which belongs to the subcommand that the person chose."""

import shlex

from launchers.plan import LaunchContext, LaunchError, LaunchPlan

_WITH_EXTENSIONS = frozenset({"run", "session", "s"})


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Goose is started."""
    arguments = context.arguments or ("session",)
    if arguments[0] not in _WITH_EXTENSIONS:
        raise LaunchError(
            f"Goose takes extensions with `run` and `session`, not with {arguments[0]!r}. "
            "Write: aileron launch goose -- run -t 'what to do'"
        )
    # The name in front is what the tools are called by; it hands its whole environment to the server.
    extension = f"aileron:{shlex.join(context.mcp_command)}"
    argv = (*context.executable, arguments[0], "--with-extension", extension, *arguments[1:])
    notes: tuple[str, ...] = ()
    if context.environment.get("GOOSE_MODE", "auto") not in {"auto", "chat"}:
        notes = ("Goose asks before every tool in this GOOSE_MODE, Aileron's too; without a terminal it gives up.",)
    variables = context.session_variables | _model(context)
    if context.sandboxed:
        inside = {"GOOSE_MODE": "auto", "GOOSE_DISABLE_KEYRING": "1", "GOOSE_TELEMETRY_ENABLED": "false"}
        variables = {name: value for name, value in inside.items() if name not in context.environment} | variables
    return LaunchPlan(argv=argv, environment=variables, notes=notes)


def _model(context: LaunchContext) -> dict[str, str]:
    """Send the requests of those providers through the daemon for which there is a key, here or there."""
    found: dict[str, str] = {}
    for provider in ("openai", "anthropic"):
        host, key = f"{provider.upper()}_HOST", f"{provider.upper()}_API_KEY"
        if not {host, f"{provider.upper()}_BASE_URL"}.isdisjoint(context.environment):
            continue  # the person has sent them elsewhere
        if key in context.environment:
            found[host] = context.models_url
        elif provider in context.bound:
            found |= {host: context.models_url, key: context.token}
    return found
