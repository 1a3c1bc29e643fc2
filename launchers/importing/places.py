"""The files in which each agent looks for servers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath as Path
from typing import Any

from launchers.importing.forms import FORMS

_BY_SUFFIX = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".jsonc": "jsonc", ".json": "json"}
_KEYS = (("mcpServers", "claude"), ("servers", "vscode"), ("mcp", "opencode"))
AGENTS = tuple(FORMS)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may hold servers, how it is written, and the project that it belongs to."""

    agent: str
    path: str
    syntax: str
    project: str | None = None


def sources(agent: str, *, home: str, folder: str, environ: Mapping[str, str], macos: bool) -> list[Source]:
    """Return where an agent that is started in a folder looks, whether the files are there or not."""
    here, below = Path(folder), Path(home)
    config = Path(environ.get("XDG_CONFIG_HOME") or below / ".config")
    apps = below / "Library/Application Support" if macos else config
    own: list[tuple[Path, str]]
    shared: list[tuple[Path, str]] = []
    match agent:
        case "claude":
            own = [(Path(environ.get("CLAUDE_CONFIG_DIR") or below) / ".claude.json", "json")]
            shared = [(here / ".mcp.json", "json")]
        case "claude-desktop":
            own = [(apps / "Claude/claude_desktop_config.json", "json")]
        case "codex":
            own = [(Path(environ.get("CODEX_HOME") or below / ".codex") / "config.toml", "toml")]
            shared = [(here / ".codex/config.toml", "toml")]
        case "goose":
            own = [(config / "goose/config.yaml", "yaml")]
        case "opencode":
            names = ("opencode.json", "opencode.jsonc")
            own = [(config / "opencode" / name, "jsonc") for name in names]
            own += [(Path(given), "jsonc") for given in [environ.get("OPENCODE_CONFIG")] if given]
            shared = [(here / name, "jsonc") for name in names]
        case "pi":
            own = [(Path(environ.get("PI_CODING_AGENT_DIR") or below / ".pi/agent") / "mcp.json", "json")]
            shared = [(here / ".pi/mcp.json", "json")]
        case "cursor":
            own = [(below / ".cursor/mcp.json", "jsonc")]
            shared = [(here / ".cursor/mcp.json", "jsonc")]
        case "vscode":
            own = [(apps / "Code/User/mcp.json", "jsonc")]
            shared = [(here / ".vscode/mcp.json", "jsonc")]
        case _:
            raise ValueError(agent)
    listed = [Source(agent, str(path), syntax) for path, syntax in own]
    known = {source.path for source in listed}
    return listed + [Source(agent, str(path), how, folder) for path, how in shared if str(path) not in known]


def syntax_of(path: str) -> str | None:
    """Return how a file is written, by the end of its name."""
    return _BY_SUFFIX.get(Path(path).suffix.casefold())


def form_of(syntax: str, said: Any) -> str | None:
    """Return whose form a file has that somebody named, by what it says."""
    if syntax in {"toml", "yaml"}:
        return "codex" if syntax == "toml" else "goose"
    if not isinstance(said, Mapping):
        return None
    if isinstance(held := said.get("mcp"), Mapping) and isinstance(held.get("servers"), Mapping):
        return "vscode"  # in its settings.json, where older versions have them
    return next((agent for key, agent in _KEYS if key in said), None)
