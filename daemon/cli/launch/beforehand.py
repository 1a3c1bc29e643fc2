"""Says before a launch what will not work in it, and unlocks the vault if the person is there to do so."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_MOST_NAMED = 5
_NO_SERVERS = {"enabled": 0, "problem": None, "withheld_tools": 0}
"""What is taken for the answer of a daemon of an older version, which runs on below a command of this one."""


def connect_and_say(invocation: "Invocation") -> "ControlClient":
    """Return a client of the daemon, after saying what will not work in the launch; close it afterwards."""
    with invocation.prompts.unseen():
        client = invocation.connect()
        try:
            say_what_will_not_work(invocation, client)
        except BaseException:
            client.close()
            raise
    return client


def say_what_will_not_work(invocation: "Invocation", client: "ControlClient") -> None:
    """Look at the vault, the actions and the servers, and write a line for each thing that the agent will miss."""
    status = client.get("/v1/status")
    servers = status.get("servers") or _NO_SERVERS
    actions = client.get("/v1/actions")["items"]
    state = status["vault"]["state"]
    if state == "locked" and invocation.prompts.interactive:
        passphrase = invocation.prompts.passphrase(None)
        client.post("/v1/vault/unlock", body={"passphrase": passphrase})
    elif state != "unlocked":
        remedy = "aileron vault init" if state == "absent" else "aileron vault unlock"
        invocation.output.note(f"The vault is {state}: what needs a secret or a login will fail until: {remedy}")
    usable = [item for item in actions if item["state"] in {"ready", "locked"}]
    blocked = [item["name"] for item in actions if item["state"] == "blocked"]
    if blocked:
        names = ", ".join(one_line(name) for name in blocked[:_MOST_NAMED])
        more = ", ..." if len(blocked) > _MOST_NAMED else ""
        invocation.output.note(f"Will fail, because they lack something: {names}{more}. See: aileron action list")
    if not usable and not blocked and not servers["enabled"]:
        invocation.output.note(
            "There is no action and no server, so the agent gets no tools. Write an action: aileron action add NAME. "
            "Take over the servers that your agents have: aileron server import"
        )
    if servers["problem"] is not None:
        invocation.output.note(f"servers.yaml is wrong: {one_line(servers['problem'])}")
    if servers["withheld_tools"]:
        invocation.output.note(
            f"Withheld until you have looked at them: {servers['withheld_tools']} tools of servers. "
            "See: aileron server list"
        )
    if not invocation.prompts.interactive:
        _say_what_will_wait(invocation, [item["name"] for item in usable if item["decision"] == "ask"], client, servers)


def _say_what_will_wait(
    invocation: "Invocation", actions: Sequence[str], client: "ControlClient", servers: Mapping[str, Any]
) -> None:
    """Name the actions and the tools of servers for which a person is asked each time."""
    asking = [*actions, *(_asking_tools(client) if servers["enabled"] else ())]
    if asking:
        names = ", ".join(one_line(name) for name in asking[:_MOST_NAMED])
        more = ", ..." if len(asking) > _MOST_NAMED else ""
        invocation.output.note(
            f"Nobody sits at this terminal, and {names}{more} will wait for a person: `aileron approval watch` in "
            "another one, or a rule in config.toml."
        )


def _asking_tools(client: "ControlClient") -> Iterator[str]:
    """Yield the tools of servers that agents are offered and a rule asks for, under the names that rules have."""
    for server in client.get("/v1/servers")["items"]:
        if server["enabled"] and server["tools"]:
            for tool in client.get("/v1/servers/{}/tools", server["name"])["items"]:
                if tool["decision"] == "ask" and tool["name"] is not None:
                    yield tool["rule"]
