"""A person whose five agents have MCP servers in their own files, and what happens to those files.

The servers are real ones, from npm and PyPI. Tokens stand in their variables and in an argument, as people write them.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.real_servers import NOTE, from_npm, from_pypi, repository
from services.model_server import ModelProcess
from shell import Shell
from waiting import wait_until
from world import World

ENTITY = {"name": "harbour-4711", "entityType": "place", "observations": ["it was approved"]}
TOKENS = (
    "ghp_4f1dA7c09bE2836aD5c4e8F7b1a09c3D2e5f",
    "sk-sentinel-58e0c1d2f3a4b5c6-argument",
    "sentinel-77b1e0c4d9a2-time-key",
)
REASON = "Only people commit here."
RULES = f"""
[approvals.rules."git__git_commit"]
decision = "deny"
reason = "{REASON}"
[approvals.rules."memory__create_entities"]
decision = "ask"
"""


@dataclass(frozen=True)
class Home:
    """The person's home: the files of the agents, and the places where the servers work."""

    folder: Path
    repository: Path
    memory: Path

    @classmethod
    def made(cls, folder: Path) -> "Home":
        """Make one in a new folder."""
        folder.mkdir()
        home = cls(folder, repository(folder / "repository"), folder / "memory.json")
        for name, text in home._texts().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return home

    def files(self) -> dict[str, bytes]:
        """Return the files of the agents."""
        return {name: (self.folder / name).read_bytes() for name in self._texts()}

    def _texts(self) -> dict[str, str]:
        node, *filesystem = from_npm("filesystem", str(self.repository))
        memory = from_npm("memory", "--api-key", TOKENS[1])
        claude = {
            "filesystem": {"command": node, "args": filesystem},
            "memory": {
                "type": "stdio",
                "command": memory[0],
                "args": memory[1:],
                "env": {"MEMORY_FILE_PATH": str(self.memory), "GITHUB_TOKEN": TOKENS[0]},
            },
        }
        git, time = from_pypi("git", "--repository", str(self.repository)), from_pypi("time")
        codex = (
            '# mine\nmodel = "gpt-5"\n\n'
            f"[mcp_servers.git]\ncommand = {json.dumps(git[0])}\nargs = {json.dumps(git[1:])}\n\n"
            f"[mcp_servers.time] # the clock\ncommand = {json.dumps(time[0])}\nargs = {json.dumps(time[1:])}\n"
            f'env = {{ TIME_API_KEY = "{TOKENS[2]}" }}\n'
        )
        thinking = from_npm("sequential-thinking")
        goose = (
            "extensions:\n  sequential-thinking:\n    enabled: true\n    type: stdio\n    name: sequential-thinking\n"
            f"    cmd: {thinking[0]}\n    args:\n    - {thinking[1]}\n    timeout: 300\n"
        )
        opencode = {
            "$schema": "https://opencode.ai/config.json",
            "model": "anthropic/fake-model",
            "small_model": "anthropic/fake-model",
            "provider": {"anthropic": {"models": {"fake-model": {}}}},
            "mcp": {"fetch": {"type": "local", "command": from_pypi("fetch"), "enabled": True}},
        }
        pi = {"mcpServers": {"files": {"command": node, "args": filesystem}}}
        return {
            ".claude.json": json.dumps({"numStartups": 3, "mcpServers": claude, "theme": "dark"}, indent=2),
            ".codex/config.toml": codex,
            ".config/goose/config.yaml": goose,
            ".config/opencode/opencode.json": json.dumps(opencode, indent=2),
            ".pi/agent/mcp.json": json.dumps(pi),
        }


class Taken:
    """What was taken over by `aileron server import`, as a person runs it."""

    def __init__(self, world: World, home: Home) -> None:
        self.world = world
        self.home = home
        self._shell = Shell(world.home, home.folder)
        self._shell.environ |= {"HOME": str(home.folder)}
        for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
            self._shell.environ.pop(name, None)
        before = home.files()
        shown = self._shell("server", "import", "--dry-run").stdout
        assert home.files() == before
        assert "memory: goes out of the file" in shown
        assert not [token for token in TOKENS if token[4:16] in shown]
        said = self._shell("server", "import", "--yes")
        assert "Taken over: " in said.stdout
        assert said.stdout.count(" offers ") == len(self.names())
        assert "cannot be asked" not in said.stderr
        self.before = before

    def names(self) -> list[str]:
        """Return the servers that there are."""
        return sorted(item["name"] for item in self.world.ok("GET", "/v1/servers")["items"])

    def restore(self) -> None:
        """Give everything back."""
        self._shell("server", "restore")


def script(model: ModelProcess, home: Home) -> None:
    """Have the model read a file, try what is denied, and do what a person must approve."""
    model.script_all(
        ("filesystem__read_text_file", {"path": str(home.repository / "note.txt")}),
        ("git__git_commit", {"repo_path": str(home.repository), "message": "not mine"}),
        ("memory__create_entities", {"entities": [ENTITY]}),
    )


def approve(world: World, home: Home, agent: "subprocess.Popen[str]") -> None:
    """Approve what the agent waits for, after a look that it was not done yet."""

    def pending() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = world.ok("GET", "/v1/approvals?state=pending")["items"]
        assert items or agent.poll() is None, agent.communicate()
        return items

    wait_until(lambda: bool(pending()), seconds=90)
    [waiting] = pending()
    assert waiting["action"] == "memory/create_entities"
    assert not home.memory.exists()
    world.ok("POST", f"/v1/approvals/{waiting['id']}/approve", {})


def happened(home: Home, said: str) -> None:
    """Say whether the agent heard of all three calls, and what was approved was done once, and nothing else."""
    assert NOTE.strip() in said, said
    assert REASON in said, said
    assert "harbour-4711" in said
    assert not [token for token in TOKENS if token in said]
    assert home.memory.read_text().count("harbour-4711") == 1
    home.memory.unlink()
    assert (home.repository / ".git/logs/HEAD").read_text().count("\n") == 1
