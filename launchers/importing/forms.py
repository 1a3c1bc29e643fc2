"""How each agent writes a server, and what of it `servers.yaml` can say. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launchers.importing.entry import Entry, LeftAloneError, Server
from launchers.importing.keys import Key
from launchers.registration.ownership import is_ours

_THEIR_OWN = "it lists tools that are switched off or allowed there; say that with rules of Aileron's first"
_KEYRING = "its variables lie in the agent's keyring; write them under `envs`"
_NOT_SSE = "it speaks the old SSE transport, which Aileron does not; ask for its HTTP address"
_ENV_FILE = "its variables stand in another file; write them here"
_HTTP = frozenset({"http", "streamable-http", "streamable_http", "streamablehttp", "remote"})
_LOCAL = frozenset({"stdio", "local"})


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a file: what it means, or why it stays there."""

    key: Key
    server: Server | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """How an agent writes its servers."""

    containers: Callable[[Any], list[tuple[Key, str | None]]]
    """Where servers stand in what the file says, each with the project that they belong to."""
    read: Callable[[Entry], Server | None]
    """Reads one; None if it is no server but a part of the agent."""


def found_in(said: Any, form: Form, *, project: str | None) -> list[Found]:
    """Return every server of a file that is not Aileron itself, in the file's order."""
    found: list[Found] = []
    for container, its_project in form.containers(said):
        held = said
        for name in container:
            held = held.get(name) if isinstance(held, Mapping) else None
        if not isinstance(held, Mapping):
            continue
        for name, entry in held.items():
            key = (*container, str(name))
            if name == "aileron" or is_ours(entry):
                continue
            try:
                server = form.read(Entry(entry, project=its_project or project))
            except LeftAloneError as reason:
                found.append(Found(key, None, str(reason)))
            else:
                found += [Found(key, server)] if server is not None else []
    return found


def _mcp_servers(*, unit: float | None) -> Callable[[Entry], Server]:
    """Return a reader of the form that most agents share; `unit` is how many seconds one of `timeout` is."""

    def read(entry: Entry) -> Server:
        kind = entry.text("type", "transport")
        entry.pass_over("name", "description", "alwaysAllow", "autoApprove", "trust", "gallery", "version", "dev")
        entry.pass_over("directTools", "exposure", "lifecycle", "protocolVersion", "toolPrefix", "inheritEnv")
        for name in ("disabledTools", "enabledTools", "includeTools", "excludeTools", "tools"):
            entry.refuse(name, _THEIR_OWN)
        entry.refuse("envFile", _ENV_FILE)
        more: dict[str, Any] = {"enabled": not entry.flag("disabled", usual=False)}
        more["enabled"] = entry.flag("enabled", usual=True) and more["enabled"]
        call = entry.seconds("requestTimeoutMs", each=0.001)
        if unit is not None:
            call = entry.seconds("timeout", each=unit) or call
        entry.pass_over("timeout")  # of an agent whose unit is not known
        more["call_seconds"] = call
        return _by_kind(entry, kind, more, url=("url", "serverUrl", "httpUrl"), env=("env",), headers=("headers",))

    return read


def _by_kind(
    entry: Entry,
    kind: str | None,
    more: dict[str, Any],
    *,
    url: tuple[str, ...],
    env: tuple[str, ...],
    headers: tuple[str, ...],
) -> Server:
    where, word = entry.text(*url), entry.text("command")
    if (kind or "").casefold() == "sse":
        raise LeftAloneError(_NOT_SSE)
    if kind is not None and kind.casefold() not in _HTTP | _LOCAL:
        raise LeftAloneError("its `type` is none that Aileron knows")
    is_remote = where is not None
    if is_remote == (word is not None) or (kind is not None and is_remote != (kind.casefold() in _HTTP)):
        raise LeftAloneError("it has to have either a command or a URL, and the `type` that belongs to it")
    if where is not None:
        return entry.remote(where, entry.texts(*headers), **more)
    command = (word or "", *entry.words("args"))
    return entry.local(command, entry.texts(*env), folder=entry.folder(), **more)


def _codex(entry: Entry) -> Server:
    entry.pass_over("required", "startup_readiness", "default_tools_approval_mode")
    for name in ("enabled_tools", "disabled_tools", "tools"):
        entry.refuse(name, _THEIR_OWN)
    for name in ("env_vars", "bearer_token_env_var", "env_http_headers"):
        entry.refuse(name, "it takes variables of the agent's environment; write their values under `env`, or headers")
    start = entry.seconds("startup_timeout_sec") or entry.seconds("startup_timeout_ms", each=0.001)
    more: dict[str, Any] = {"enabled": entry.flag("enabled", usual=True), "start_seconds": start}
    more["call_seconds"] = entry.seconds("tool_timeout_sec")
    return _by_kind(entry, None, more, url=("url",), env=("env",), headers=("http_headers",))


def _goose(entry: Entry) -> Server | None:
    kind = entry.text("type")
    if kind in {"builtin", "platform", "frontend"}:
        return None
    entry.pass_over("name", "description", "display_name", "bundled")
    entry.refuse("available_tools", _THEIR_OWN)
    entry.refuse("env_keys", _KEYRING)
    more: dict[str, Any] = {"enabled": entry.flag("enabled", usual=True), "call_seconds": entry.seconds("timeout")}
    if kind == "sse":
        raise LeftAloneError(_NOT_SSE)
    if kind == "streamable_http":
        entry.refuse("envs", "they are for the agent's own use of a remote server")
        return entry.remote(entry.text("uri") or "", entry.texts("headers"), **more)
    if kind != "stdio":
        raise LeftAloneError("its `type` is none that Aileron knows")
    command = (entry.text("cmd") or "", *entry.words("args"))
    return entry.local(command, entry.texts("envs"), folder=entry.folder(), **more)


def _opencode(entry: Entry) -> Server:
    kind = entry.text("type")
    limit = entry.seconds("timeout", each=0.001)
    more: dict[str, Any] = {"enabled": entry.flag("enabled", usual=True), "call_seconds": limit}
    if kind == "local":
        return entry.local(entry.words("command"), entry.texts("environment"), folder=entry.folder(), **more)
    if kind != "remote":
        raise LeftAloneError("its `type` is neither local nor remote")
    entry.refuse("oauth", "a client of yours for its login; add it with `aileron server add`")
    return entry.remote(entry.text("url") or "", entry.texts("headers"), **more)


def _vscode_containers(_: Any) -> list[tuple[Key, str | None]]:
    return [(("servers",), None), (("mcp", "servers"), None)]


def _below(*key: str) -> Callable[[Any], list[tuple[Key, str | None]]]:
    return lambda _: [(key, None)]


def _claude_containers(said: Any) -> list[tuple[Key, str | None]]:
    projects = said.get("projects") if isinstance(said, Mapping) else None
    below = [(("projects", str(path), "mcpServers"), str(path)) for path in projects or ()]
    return [(("mcpServers",), None), *((key, path) for key, path in below if path.startswith("/"))]


FORMS = {
    "claude": Form(_claude_containers, _mcp_servers(unit=0.001)),
    "claude-desktop": Form(_below("mcpServers"), _mcp_servers(unit=None)),
    "cursor": Form(_below("mcpServers"), _mcp_servers(unit=None)),
    "pi": Form(_below("mcpServers"), _mcp_servers(unit=1.0)),
    "vscode": Form(_vscode_containers, _mcp_servers(unit=None)),
    "codex": Form(_below("mcp_servers"), _codex),
    "goose": Form(_below("extensions"), _goose),
    "opencode": Form(_below("mcp"), _opencode),
}
