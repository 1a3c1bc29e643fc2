"""Who answers what a server asks back: what is told of this machine to whom, and which rule lets a model be asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from servers.gate_room import GateRoom, gate_room
from servers.small_servers import AsksFor, SmallServers

from daemon.base.once import Once
from daemon.core.failures import Failure
from daemon.tools.servers.upstream.seam import Message
from daemon.tools.servers.values import Mode, ServerConfig

HERE = ServerConfig(name="here", command=("here",))
FAR = ServerConfig(name="far", mode=Mode.REMOTE, url="https://far.example/mcp")
ALLOWED = '[approvals.rules."here__(sampling)"]\ndecision = "{}"\nreason = "r"\n'
EVERY = '[approvals.rules."here__*"]\ndecision = "{}"\nreason = "r"\n'


class Agent:
    """An agent that answers everything."""

    log_level = None

    def __init__(self, *families: str) -> None:
        self.cancelled = Once()
        self.capabilities: Mapping[str, Any] = {family: {} for family in families}
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []

    def progress(self, params: Mapping[str, Any]) -> None:
        """Hear how far it is."""

    def log(self, params: Mapping[str, Any]) -> None:
        """Hear a line."""

    def let_go(self) -> None:
        """Stop listening."""

    async def answer(self, method: str, params: Mapping[str, Any], name: str = "") -> Mapping[str, Any]:
        self.asked.append((method, params, name))
        return {"said": method}


def room(folder: Path, settings: str = "") -> Any:
    servers = SmallServers(HERE, FAR)
    for name in ("here", "far"):
        servers.servers[name].tools = [{"name": "go", "inputSchema": {"type": "object"}}]
    return gate_room(folder, servers, settings=settings)


async def went(made: GateRoom, server: str, method: str, agent: Agent | None) -> tuple[str, Message]:
    """Have a server ask back in a call; return what it was told, and what it was told that it may ask."""
    asks = made.servers.servers[server].answers["go"] = AsksFor(method, {"a": 1}, "named")
    done = await made.call(f"{server}__go", talk=agent)
    return str(done.content[0]["text"]), asks.capabilities  # type: ignore[union-attr,index]


async def test_a_server_on_this_machine_is_told_where_its_session_works_and_one_elsewhere_never(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        made.rooms.servers.workspaces.know(lambda session: tmp_path if session == made.session else None)
        await made.looked()
        for agent in (Agent(), None):
            told, capabilities = await went(made, "here", "roots/list", agent)
            assert tmp_path.as_uri() in told
            assert "roots" in capabilities
            with pytest.raises(Failure, match="elsewhere is not told the folders"):
                await went(made, "far", "roots/list", agent)
            assert "roots" not in made.servers.servers["far"].answers["go"].capabilities


async def test_a_session_that_works_nowhere_has_no_folders(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        await made.looked()
        told, _ = await went(made, "here", "roots/list", Agent())
        assert "{'roots': []}" in told


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ("", False),
        (EVERY.format("allow"), False),
        (ALLOWED.format("ask"), False),
        (ALLOWED.format("deny"), False),
        (ALLOWED.format("allow"), True),
        (ALLOWED.format("allow") + EVERY.format("deny"), None),
    ],
    ids=["no rule", "a rule for everything", "ask", "deny", "allow", "allow, and a deny for everything"],
)
async def test_only_a_rule_that_names_it_lets_a_server_have_the_model_asked(
    tmp_path: Path, settings: str, allowed: bool | None
) -> None:
    agent = Agent("sampling")
    async with room(tmp_path, settings) as made:
        await made.looked()
        if allowed:
            _, capabilities = await went(made, "here", "sampling/createMessage", agent)
            assert "sampling" in capabilities
            assert agent.asked == [("sampling/createMessage", {"a": 1}, "named")]
            assert len(await made.events("server.sampling_allowed")) == 1
        else:
            with pytest.raises(Failure, match="denies" if allowed is None else "may not have the agent's model asked"):
                await went(made, "here", "sampling/createMessage", agent)
            assert agent.asked == []
            assert len(await made.events("server.sampling_refused")) == (allowed is not None)


async def test_an_agent_without_a_model_to_ask_is_not_asked_and_nothing_is_written_down(tmp_path: Path) -> None:
    agent = Agent()
    async with room(tmp_path, ALLOWED.format("allow")) as made:
        await made.looked()
        with pytest.raises(Failure):
            await went(made, "here", "sampling/createMessage", None)
        assert "sampling" not in made.servers.servers["here"].answers["go"].capabilities
        assert await made.events("server.sampling_allowed") == []
        assert agent.asked == []
