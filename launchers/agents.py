"""The agents that can be launched: how each is found, asked for its version, and started."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from launchers import claude, codex, goose, opencode, pi
from launchers.plan import LaunchContext, LaunchPlan

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent."""

    name: str
    title: str
    executables: tuple[str, ...]
    """Names to look for on the PATH, the first that is there counts."""
    install: str
    """What to run to get it."""
    oldest: tuple[int, ...]
    """Versions before this one were not tried, or lack what a launch needs."""
    plan: Callable[[LaunchContext], LaunchPlan]
    reads: tuple[str, ...] = ()
    """The person's files that the launcher wants to see, below the home folder."""
    looks_into: tuple[str, ...] = ()
    """Folders below the home folder whose entries the launcher wants to know."""
    moved_by: tuple[tuple[str, str], ...] = ()
    """Variables that move a folder of the agent's elsewhere, and which."""

    def read_version(self, said: str) -> tuple[int, ...] | None:
        """Read the version out of what the agent answers to `--version`."""
        found = _VERSION.search(said)
        return None if found is None else tuple(int(part) for part in found.groups("0"))


AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            name="claude",
            title="Claude Code",
            executables=("claude",),
            install="npm install -g @anthropic-ai/claude-code",
            oldest=(2, 1, 0),
            plan=claude.plan,
        ),
        Agent(
            name="codex",
            title="Codex CLI",
            executables=("codex",),
            install="npm install -g @openai/codex",
            oldest=(0, 160, 0),
            plan=codex.plan,
            reads=(codex.CONFIG, codex.LOGIN),
            moved_by=(("CODEX_HOME", ".codex"),),
        ),
        Agent(
            name="goose",
            title="Goose",
            executables=("goose", "goose-binary-linux-x64"),
            install="npm install -g @aaif/goose-binary-linux-x64",
            oldest=(1, 50, 0),
            plan=goose.plan,
            reads=(goose.CONFIG,),
            moved_by=(("XDG_CONFIG_HOME", ".config"),),
        ),
        Agent(
            name="opencode",
            title="opencode",
            executables=("opencode",),
            install="npm install -g opencode-ai",
            oldest=(1, 18, 0),
            plan=opencode.plan,
            reads=(*opencode.CONFIGS, opencode.LOGINS),
            moved_by=(("XDG_CONFIG_HOME", ".config"), ("XDG_DATA_HOME", ".local/share")),
        ),
        Agent(
            name="pi",
            title="Pi",
            executables=("pi",),
            install="npm install -g @earendil-works/pi-coding-agent",
            oldest=(0, 74, 0),
            plan=pi.plan,
            reads=(pi.SERVERS, pi.MODELS, pi.LOGINS),
            looks_into=(pi.AGENT_FOLDER,),
            moved_by=(("PI_CODING_AGENT_DIR", pi.AGENT_FOLDER),),
        ),
    )
}
