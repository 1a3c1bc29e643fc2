"""The calls to the Docker engine that make and remove a sandbox. They block, so `Engine.call` runs them on threads."""

import contextlib
import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.sandbox.attachment import Attachment
from daemon.sandbox.container_options import (
    RUN,
    Anchor,
    Forwarder,
    Spec,
    anchor_creation,
    anchor_host_config,
    creation,
    forwarder_creation,
    forwarder_host_config,
    host_config,
)
from daemon.sandbox.injection import remove_volumes
from daemon.sandbox.labels import HOME, NO_SESSION, ROLE, SESSION, home_label

_SHOWN_LOG_LINES = 50


@dataclass(frozen=True, slots=True)
class Network:
    """A Docker network, with the addresses it got."""

    id: str
    subnet: str
    gateway: str


def make_network(client: Any, session: str, marks: Mapping[str, str], *, outside: bool, between: bool) -> Network:
    """Make the network of a session.

    With `between`, its containers reach each other, which they must where a forwarder is one of them.
    """
    made = client.create_network(
        f"aileron-{session}",
        driver="bridge",
        internal=not outside,
        labels=dict(marks),
        check_duplicate=True,
        options={"com.docker.network.bridge.enable_icc": "true" if between else "false"},
    )
    config = client.inspect_network(made["Id"])["IPAM"]["Config"][0]
    return Network(made["Id"], config["Subnet"], config["Gateway"])


def bridge_gateway(client: Any) -> str:
    """Return the address that this machine has on the engine's own network."""
    config = client.inspect_network("bridge")["IPAM"]["Config"][0]
    # An engine that has just made its bridge does not name the gateway yet; it is the first address.
    return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"]).hosts()))


def start_forwarder(client: Any, forwarder: Forwarder) -> tuple[str, str, Attachment]:
    """Start the container that carries connections to the daemon; return its id, its address, and its open input."""
    config = client.create_host_config(**forwarder_host_config(forwarder))
    made = client.create_container(**forwarder_creation(forwarder), host_config=config)["Id"]
    if forwarder.door is None:
        client.connect_container_to_network(made, "bridge")
    held = Attachment(client.attach_socket(made, params={"stdin": 1, "stdout": 1, "stream": 1}), terminal=False)
    client.start(made)
    places = client.inspect_container(made)["NetworkSettings"]["Networks"].values()
    return made, next(place["IPAddress"] for place in places if place["NetworkID"] == forwarder.network), held


def create_anchor(client: Any, anchor: Anchor) -> str:
    """Create the container that holds a network."""
    config = client.create_host_config(**anchor_host_config(anchor))
    return str(client.create_container(**anchor_creation(anchor), host_config=config)["Id"])


def start_anchor(client: Any, anchor: str) -> Attachment:
    """Start an anchor, and return its open input: the anchor ends when that is closed."""
    held = Attachment(client.attach_socket(anchor, params={"stdin": 1, "stdout": 1, "stream": 1}), terminal=False)
    client.start(anchor)
    return held


def is_running(client: Any, container: str) -> bool:
    """Say whether a container runs."""
    return bool(client.inspect_container(container)["State"]["Running"])


def are_running(client: Any, containers: Iterable[str]) -> bool:
    """Say whether all of these containers exist and run."""
    try:
        return all(is_running(client, each) for each in containers)
    except docker.errors.NotFound:
        return False


def last_words(client: Any, container: str) -> dict[str, str]:
    """Return the state of a container, and the last lines it wrote."""
    state = client.inspect_container(container)["State"]
    logs = client.logs(container, tail=_SHOWN_LOG_LINES).decode(errors="replace")
    return {"container": f"{state['Status']}, exit code {state['ExitCode']}", "log": logs.strip()}


def create(client: Any, spec: Spec) -> str:
    """Create the container of an agent."""
    config = client.create_host_config(**host_config(spec))
    return str(client.create_container(**creation(spec), host_config=config)["Id"])


def start(client: Any, container: str, spec: Spec, size: tuple[int, int]) -> Attachment:
    """Attach to a container and then start it, in this order, so that nothing it writes is lost."""
    streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    attached = Attachment(client.attach_socket(container, params=streams), terminal=spec.terminal)
    client.start(container)
    if spec.terminal:
        client.resize(container, size[1], size[0])
    return attached


def look_on(client: Any, container: str, *, terminal: bool, follow: bool) -> Attachment:
    """Return what the engine has kept of a container's output, and with `follow` also what comes."""
    streams = {"stdout": 1, "stderr": 1, "logs": 1, "stream": int(follow)}
    return Attachment(client.attach_socket(container, params=streams), terminal=terminal)


def prepare_helper(
    client: Any, container: str, image: str, run_folder: str, marks: Mapping[str, str], *, rules: str
) -> str:
    """Create a helper in a container's network. It may set the rules of that network, does so, and ends."""
    config = client.create_host_config(
        network_mode=f"container:{container}",
        binds=[f"{run_folder}:{RUN}:ro"],
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        security_opt=["no-new-privileges"],
        read_only=True,
    )
    command = ["/usr/sbin/nft", "-f", f"{RUN}/{rules}"]
    made = client.create_container(
        image=image, entrypoint=command, command=[], user="0:0", labels=dict(marks), host_config=config
    )
    return str(made["Id"])


def run_helper(client: Any, helper: str) -> None:
    """Have the helper set the rules, and remove it; raise Failure if it could not set them."""
    client.start(helper)
    code = client.wait(helper)["StatusCode"]
    said = client.logs(helper).decode(errors="replace").strip() if code else ""
    client.remove_container(helper, force=True)
    if code:
        raise Failure(
            FailureClass.INTERNAL_ERROR,
            f"The network of the sandbox could not be closed (nft ended with {code}): {said[:500]}",
            boundary=Boundary.SANDBOX,
        )


def held(client: Any, session: str) -> list[str]:
    """Return the containers of a session."""
    return [each["Id"] for each in client.containers(all=True, filters={"label": f"{SESSION}={session}"})]


def remove(client: Any, container: str) -> None:
    """Remove a container, whatever it is doing."""
    with contextlib.suppress(docker.errors.NotFound):  # somebody else has removed it
        client.remove_container(container, force=True, v=True)


def remove_rest(client: Any, session: str) -> None:
    """Remove networks and volumes of a session, and containers that were made since the last look."""
    _remove(client, f"{SESSION}={session}")


def sweep(client: Any, home: str, sessions: Iterable[str]) -> int:
    """Remove everything with the label of these sessions, or of no session; return how many things it was."""
    mine = f"{HOME}={home_label(home)}"
    return sum(_remove(client, mine, f"{SESSION}={session}") for session in (*sessions, NO_SESSION))


def sweep_role(client: Any, home: str, role: str, *, but: Collection[str]) -> int:
    """Remove everything with a role, but not of the sessions in `but`; return of how many sessions it was."""
    mine = f"{HOME}={home_label(home)}", f"{ROLE}={role}"
    marked = {"label": list(mine)}
    found = [*client.containers(all=True, filters=marked), *(client.volumes(filters=marked)["Volumes"] or [])]
    stale = {each["Labels"][SESSION] for each in found} - set(but)
    for session in stale:
        _remove(client, *mine, f"{SESSION}={session}")
    return len(stale)


def _remove(client: Any, *marks: str) -> int:
    mine = {"label": list(marks)}
    containers, networks = client.containers(all=True, filters=mine), client.networks(filters=mine)
    for each in containers:
        remove(client, each["Id"])
    for each in networks:
        with contextlib.suppress(docker.errors.NotFound):
            client.remove_network(each["Id"])
    remove_volumes(client, mine)
    return len(containers) + len(networks)
