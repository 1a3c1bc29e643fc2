"""Says before a launch what will not work in it, and unlocks the vault if the person is there to do so."""

from typing import TYPE_CHECKING

from daemon.cli.rendering import one_line

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient
    from daemon.cli.invocation import Invocation

_MOST_NAMED = 5


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
    """Look at the vault and the actions, and write a line for each thing that the agent will miss."""
    status = client.get("/v1/status")
    actions = client.get("/v1/actions")["items"]
    state = status["vault"]["state"]
    if state == "locked" and invocation.prompts.interactive:
        passphrase = invocation.prompts.passphrase(None)
        client.post("/v1/vault/unlock", body={"passphrase": passphrase})
    elif state != "unlocked":
        remedy = "aileron vault init" if state == "absent" else "aileron vault unlock"
        invocation.output.note(f"The vault is {state}: actions that need a credential will fail until: {remedy}")
    usable = [item for item in actions if item["state"] in {"ready", "locked"}]
    blocked = [item["name"] for item in actions if item["state"] == "blocked"]
    if blocked:
        names = ", ".join(one_line(name) for name in blocked[:_MOST_NAMED])
        more = ", ..." if len(blocked) > _MOST_NAMED else ""
        invocation.output.note(f"Will fail, because they lack something: {names}{more}. See: aileron action list")
    if not usable and not blocked:
        invocation.output.note("No action is installed, so the agent gets no tools. Write one: aileron action add NAME")
    asking = [item["name"] for item in usable if item["decision"] == "ask"]
    if asking and not invocation.prompts.interactive:
        names = ", ".join(one_line(name) for name in asking[:_MOST_NAMED])
        more = ", ..." if len(asking) > _MOST_NAMED else ""
        invocation.output.note(
            f"Nobody sits at this terminal, and {names}{more} will wait for a person: `aileron approval watch` in "
            "another one, or a rule in config.toml."
        )
