"""Goose: an extension by flag, which belongs to the subcommand that the person chose."""

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from launchers.plan import NAME, TOKEN_HEADER, LaunchContext, LaunchError, LaunchPlan, free_name
from launchers.registration.ownership import is_ours

CONFIG = ".config/goose/config.yaml"
_WITH_EXTENSIONS = frozenset({"run", "session", "s"})


def plan(context: LaunchContext) -> LaunchPlan:
    """Return how Goose is started."""
    arguments = context.arguments or ("session",)
    if arguments[0] not in _WITH_EXTENSIONS:
        raise LaunchError(
            f"Goose takes extensions with `run` and `session`, not with {arguments[0]!r}. "
            "Write: aileron launch goose -- run -t 'what to do'"
        )
    config = _config(context)
    argv = (*context.executable, arguments[0], *_extension(context, config), *arguments[1:])
    notes: tuple[str, ...] = ()
    if context.environment.get("GOOSE_MODE", "auto") not in {"auto", "chat"}:
        notes = ("Goose asks before every tool in this GOOSE_MODE, Aileron's too; without a terminal it gives up.",)
    variables = context.session_variables | _model(context, config)
    if context.sandboxed:
        inside = {"GOOSE_MODE": "auto", "GOOSE_DISABLE_KEYRING": "1", "GOOSE_TELEMETRY_ENABLED": "false"}
        variables = {name: value for name, value in inside.items() if name not in context.environment} | variables
    return LaunchPlan(argv=argv, environment=variables, notes=notes)


def _extension(context: LaunchContext, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the flag for our extension; Goose ends if one in its configuration has the same name."""
    found = config.get("extensions")
    extensions = found if isinstance(found, dict) and not context.asks_for("--no-profile") else {}
    if _serves_already(extensions.get(NAME), context):
        return ()  # registered: it is given the session by the environment, as all of Goose's servers are
    named = {str(entry["name"]) for entry in extensions.values() if isinstance(entry, dict) and "name" in entry}
    name = free_name({_key(taken) for taken in named | {str(key) for key in extensions}})
    # The name in front is what the tools are called by; it hands its whole environment to the server.
    return ("--with-extension", f"{name}:{shlex.join(context.mcp_command)}")


def _serves_already(entry: Any, context: LaunchContext) -> bool:
    """Say whether this is our server, from the installation that launches, and on."""
    if not isinstance(entry, dict) or not is_ours(entry) or not entry.get("enabled", True):
        return False
    return PurePath(str(entry.get("cmd"))).parent == PurePath(context.mcp_command[0]).parent


def _key(name: str) -> str:
    """Return a name as Goose compares it."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name.lower() if letter != " ")


def _model(context: LaunchContext, config: Mapping[str, Any]) -> dict[str, str]:
    """Send the requests of those providers through the daemon for which there is a key, here or there."""
    said = {name: str(value) for name, value in config.items()} | dict(context.environment)
    found: dict[str, str] = {}
    for provider in ("OPENAI", "ANTHROPIC"):
        host, key, headers = f"{provider}_HOST", f"{provider}_API_KEY", f"{provider}_CUSTOM_HEADERS"
        if not {host, f"{provider}_BASE_URL"}.isdisjoint(said):
            continue  # the person has sent them elsewhere
        if said.get(key):
            theirs = f"{said[headers]}," if said.get(headers) else ""
            found |= {host: context.models_url, headers: f"{theirs}{TOKEN_HEADER}={context.token}"}
        elif provider.lower() in context.bound:
            found |= {host: context.models_url, key: context.token}
    return found


def _config(context: LaunchContext) -> Mapping[str, Any]:
    text = context.existing.get(CONFIG, "")
    if not text.strip() or "GOOSE_PATH_ROOT" in context.environment:
        return {}  # there is none, or the one that Goose reads is elsewhere
    from launchers.registration import yaml_text  # noqa: PLC0415 - reading YAML is only imported where there is some
    from launchers.registration.errors import RegistrationError  # noqa: PLC0415

    try:
        return yaml_text.read(text)
    except RegistrationError:
        return {}  # Goose will say so itself
