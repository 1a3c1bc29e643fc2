"""Writes the file that the first process of a container reads: what to prove, and how to start the agent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.sandbox.container_options import HOME, HOST, ROOT, RUN
from daemon.sandbox.git_identity import NOBODY, Identity, gitconfig
from launchers.agents import AGENTS
from launchers.plan import LaunchContext, LaunchPlan, PlacedFile

BUNDLE = f"{HOME}/.aileron-ca.pem"
TRUST = (
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CODEX_CA_CERTIFICATE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
)
"""The variables in which tools look for the certificates they trust. All of them get the path of one file."""


OF_THE_NETWORK = frozenset(
    {
        "a public address",
        "a public address over IPv6",
        "a name server",
        "the metadata service",
        "the container's name server",
        "another port of the host",
    }
)
OF_THE_CONTAINER = frozenset(
    {
        "capabilities",
        "new privileges",
        "root",
        "the root file system",
        "the Docker socket",
        "the process that ends the sandbox",
    }
)
"""What the first process must have looked at before an agent starts. sandbox_image/inside/probe.py has these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What a plan for an agent in a container is made from."""

    session: str
    token: str = field(repr=False)
    address: str
    port: int
    closed_port: int
    network: str
    folder: str
    """Where the agent works."""
    read_only: Sequence[str] = ()
    """Paths that the first process must find to be read-only."""
    git: Identity = NOBODY
    bound: frozenset[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    rootless: bool = False

    @property
    def url(self) -> str:
        """Return the address of the agent API, as seen from inside."""
        return f"https://{HOST}:{self.port}"


def agent_plan(agent: str, version: tuple[int, ...], arguments: Sequence[str], inside: Inside) -> LaunchPlan:
    """Return the plan with which an agent is started inside."""
    context = LaunchContext(
        executable=(agent,),
        version=version,
        arguments=tuple(arguments),
        mcp_command=(f"{ROOT}/bin/aileron-mcp",),
        agent_url=inside.url,
        token=inside.token,
        session_id=inside.session,
        scratch=f"{HOME}/.aileron-launch",
        home=HOME,
        workspace=inside.folder,
        sandboxed=True,
        ca_file=f"{RUN}/ca.pem",
        bound=inside.bound,
        environment=inside.environment,
    )
    return AGENTS[agent].plan(context)


def command_plan(command: Sequence[str], inside: Inside) -> LaunchPlan:
    """Return the plan with which another program is started in its place."""
    return LaunchPlan(
        argv=tuple(command),
        environment={
            "AILERON_URL": inside.url,
            "AILERON_TOKEN": inside.token,
            "AILERON_SESSION_ID": inside.session,
            "AILERON_CA_FILE": f"{RUN}/ca.pem",
        },
    )


def start_file(plan: LaunchPlan, inside: Inside) -> str:
    """Return the text of the file."""
    told: dict[str, Any] = {
        "host": HOST,
        "address": inside.address,
        "port": inside.port,
        "token": inside.token,
        "closed_port": inside.closed_port,
        "network": inside.network,
        "root_is_you": inside.rootless,
        "protected": list(inside.read_only),
        "folder": inside.folder,
        "bundle": BUNDLE,
        "argv": list(plan.argv),
        "environment": {**dict.fromkeys(TRUST, BUNDLE), **inside.environment, **plan.environment},
        "files": [
            *(_file(file) for file in plan.files),
            {"path": f"{HOME}/.gitconfig", "text": gitconfig(inside.git), "link_to": None},
        ],
    }
    return json.dumps(told)


def _file(file: PlacedFile) -> dict[str, Any]:
    return {"path": file.path, "text": file.text, "link_to": file.link_to}
