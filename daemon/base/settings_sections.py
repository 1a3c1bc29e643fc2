"""The sections of the settings: what each field means, what it is by default, and which values it takes."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode

from daemon.core.authority import AuthorityError, HostPort
from daemon.core.providers import Provider, Style
from daemon.core.quantities import QuantityError, parse_duration, parse_size

_SERVER_TOOL = re.compile(r"[a-z][a-z0-9-]*__.+")
_ACTION_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except QuantityError as problem:
            if value == "0":
                return 0.0
            raise ValueError(str(problem)) from problem
    return value


def _authorities(value: Any) -> Any:
    items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if isinstance(items, list):
        for item in items:
            try:
                HostPort.parse(item)
            except (AuthorityError, TypeError, AttributeError) as problem:
                raise ValueError(f"{item!r} is not host:port: {problem}") from problem
    return items


def _action_name(value: str) -> str:
    if not _ACTION_NAME.fullmatch(value):
        raise ValueError("it is not the name of an action; names are written like ship-update")
    return value


def _ruled_name(value: str) -> str:
    if not (_ACTION_NAME.fullmatch(value) or _SERVER_TOOL.fullmatch(value)):
        raise ValueError(
            "it is not the name of an action, like ship-update, and not that of a tool of a server, like"
            " github__create_issue, or github__* for all of its tools"
        )
    server, _, tool = value.partition("__")
    if "*" in tool and tool != "*":
        # It would fit no tool, and a deny that holds nothing back must not look as if it did.
        raise ValueError(f"* stands for all tools of a server only, as {server}__*; of some of them, name each")
    return value


def _readable_file(value: Path | None) -> Path | None:
    if value is None:
        return None
    path = value.expanduser()
    if not path.is_absolute():
        # The daemon has no folder that the person could mean.
        raise ValueError(f"{str(value)!r} is not a full path; begin it with / or ~")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ValueError(f"{path} is not a file that can be read")
    return path


Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, allow_inf_nan=False)]


def _size(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except QuantityError as problem:
            raise ValueError(str(problem)) from problem
    return value


Size = Annotated[int, BeforeValidator(_size), Field(ge=64 * 1024**2)]
LogSize = Annotated[int, BeforeValidator(_size), Field(ge=1024**2)]


AT_ONCE: dict[str, JsonValue] = {"at_once": True}
"""The mark of a setting that a running daemon takes over; daemon/app/live_settings.py does it."""


def is_duration(field: FieldInfo) -> bool:
    """Say whether a setting is a length of time."""
    return any(isinstance(each, BeforeValidator) and each.func is _duration for each in field.metadata)


def is_size(field: FieldInfo) -> bool:
    """Say whether a setting is a number of bytes."""
    return any(isinstance(each, BeforeValidator) and each.func is _size for each in field.metadata)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DaemonSettings(_Section):
    """The daemon as a process."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much the daemon logs.", json_schema_extra=AT_ONCE
    )
    control_port: int = Field(0, ge=0, le=65535, description="Port of the control API; 0 lets the system pick one.")
    agent_port: int = Field(0, ge=0, le=65535, description="Port of the agent API; 0 lets the system pick one.")
    drain_seconds: Duration = Field(20.0, description="How long a stop waits for runs under way.")


class NetworkSettings(_Section):
    """What the daemon may connect to beyond public addresses, and whom it believes there."""

    allow_private: Annotated[list[str], NoDecode, BeforeValidator(_authorities)] = Field(
        default_factory=list,
        description=(
            "Private or loopback `host:port`s that may be reached, also without TLS: by a connector whose manifest "
            "names them, and by the gateway for a provider that is there."
        ),
    )
    extra_ca_file: Annotated[Path | None, AfterValidator(_readable_file)] = Field(
        None, description="A PEM file of authorities to trust beside the usual ones, with its full path."
    )


class VaultSettings(_Section):
    """The vault."""

    auto_lock: Duration = Field(
        43_200.0, description="Idle time after which the vault locks itself; 0 means never.", json_schema_extra=AT_ONCE
    )


class AuditSettings(_Section):
    """The audit log."""

    checkpoint_every: int = Field(1000, ge=1, le=1_000_000, description="Most events between two signed checkpoints.")
    checkpoint_seconds: Duration = Field(
        60.0, gt=0, description="How long an event waits for a signed checkpoint at most, while the daemon runs."
    )
    budget: LogSize = Field(
        8 * 1024**3,
        description="What the log, its database and its attachments may take; `status` warns at 80 percent.",
    )
    session_hourly: LogSize = Field(
        256 * 1024**2, description="What one session may write into the log in an hour; then its calls are refused."
    )
    attachments: LogSize = Field(
        1024**3,
        description="What large arguments may take, which lie in files; then the oldest go, their digests stay.",
    )


class RuleSettings(_Section):
    """A decision made beforehand, for runs nobody watches."""

    decision: Literal["ask", "allow", "deny"] = Field(description="What happens when the action is asked for.")
    reason: str = Field("", max_length=500, description="Why; goes into the audit log. An `allow` must have one.")

    @model_validator(mode="before")
    @classmethod
    def _is_a_table(cls, value: Any) -> Any:
        if isinstance(value, str):
            wanted = '{ decision = "deny", reason = "Not from here." }'
            raise ValueError(f"a rule is a table; write it like {wanted}")  # noqa: TRY004 - the library wants this one
        return value

    @model_validator(mode="after")
    def _allow_says_why(self) -> "RuleSettings":
        if self.decision == "allow" and not self.reason.strip():
            raise ValueError("an allow needs a reason; it goes into the audit log with every run")
        return self


class ApprovalSettings(_Section):
    """Unattended rules."""

    rules: dict[Annotated[str, AfterValidator(_ruled_name)], RuleSettings] = Field(
        default_factory=dict,
        description="A rule for each action, by its name, and for tools of servers, as `server__tool` or `server__*`;"
        " in the variable, as JSON.",
        json_schema_extra=AT_ONCE,
    )


class LimitSettings(_Section):
    """What one daemon uses at most. One session gets at most half of each; no limit is so low that half is nothing."""

    wasm_threads: int = Field(512, ge=2, le=1024, description="Connector calls that may be under way at once.")
    active_guests: int | None = Field(
        None, ge=2, le=256, description="Connector calls that may compute at once; by default twice the processors."
    )
    max_concurrent_runs: int = Field(512, ge=2, le=10_000, description="Runs that may be under way at once.")
    queued_runs: int = Field(
        256, ge=1, le=10_000, description="Runs of one session that may wait for a place; more are told to try again."
    )
    wait_seconds: Duration = Field(
        30.0,
        description="How long a run may wait for its turn before it is told to try again. What a person approved waits"
        " as long as its approval is good.",
    )
    agent_connections: int = Field(
        2048, ge=16, le=30_000, description="Connections that all agents on this machine may have open at once."
    )


class ServerSettings(_Section):
    """What agents are given of MCP servers, and what servers may ask."""

    question_expires: Duration = Field(
        3600.0,
        gt=0,
        description="How long a question of a server waits for your answer, where its agent cannot answer; then the "
        "server is told that you gave none.",
    )
    result_limit: Annotated[int, BeforeValidator(_size), Field(ge=1024)] = Field(
        1024**2,
        description="How many characters of a result an agent is given at once; it can read on with `read_result`.",
    )
    listed_tools: int = Field(
        128,
        ge=1,
        description="With more tools of servers than this, agents are shown `search_tools`, `describe_tool` and"
        " `call_tool` in their place. Some providers of models refuse more than 128 tools.",
    )
    look_again_seconds: Duration = Field(
        60.0,
        description="A server that runs is asked for its tools before a call if the last time was this long ago, so"
        " that a change that it does not announce is noticed. One that says for how long its list holds is believed,"
        " up to an hour.",
    )
    client_metadata_url: str | None = Field(
        None,
        pattern=r"^https://[^/?#@\s]+/[^?#\s]+$",
        max_length=2048,
        description="Where you publish your own client id metadata document, with the redirect URL"
        " `http://127.0.0.1/callback` in it. It is the client for authorization servers that read such documents.",
    )
    redirect_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="The port of 127.0.0.1 that a browser comes back to from the login at a server; 0 takes a free one."
        " Set it for a client that you registered by hand where the port is compared.",
    )


class ProviderSettings(_Section):
    """One model provider."""

    base_url: str = Field(description="Where it is, such as https://api.example.com; what its paths have before /v1.")
    style: Literal["anthropic", "openai"] = Field("openai", description="Whose API it speaks.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to add to every request.")

    @model_validator(mode="after")
    def _is_one(self) -> "ProviderSettings":
        Provider.configured("x", style=Style(self.style), base_url=self.base_url, headers=self.headers)
        return self


_KNOWN_PROVIDERS: dict[str, dict[str, Any]] = {
    "anthropic": {"base_url": "https://api.anthropic.com", "style": "anthropic"},
    "openai": {"base_url": "https://api.openai.com", "style": "openai"},
}


def _with_known_providers(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    given = {name: settings for name, settings in value.items() if name not in _KNOWN_PROVIDERS}
    known = {
        name: {**defaults, **value[name]} if isinstance(value.get(name), dict) else value.get(name, defaults)
        for name, defaults in _KNOWN_PROVIDERS.items()
    }
    return known | given


class GatewaySettings(_Section):
    """The model gateway."""

    providers: Annotated[
        dict[Annotated[str, AfterValidator(_action_name)], ProviderSettings], BeforeValidator(_with_known_providers)
    ] = Field(
        default_factory=lambda: {name: ProviderSettings(**known) for name, known in _KNOWN_PROVIDERS.items()},
        description="A provider for each name, with `base_url`, `style` and `headers`; in the variable, as JSON.",
    )
    connect_seconds: Duration = Field(10.0, description="How long a provider may take to accept a connection.")
    header_seconds: Duration = Field(600.0, description="How long a provider may take to begin its answer.")


class SandboxSettings(_Section):
    """Containers for agents."""

    docker_socket: str | None = Field(None, description="The socket of the Docker engine; its usual one, if not set.")
    memory: Size = Field(4 * 1024**3, description="How much memory a sandbox may use.", json_schema_extra=AT_ONCE)
    cpus: float = Field(2.0, gt=0, description="How many processors a sandbox may use.", json_schema_extra=AT_ONCE)
    listener_seconds: Duration = Field(
        30.0, description="How long an agent may run before somebody reads what it says.", json_schema_extra=AT_ONCE
    )
    pids: int = Field(
        512, ge=16, description="How many processes and threads a sandbox may have.", json_schema_extra=AT_ONCE
    )
    connections: int = Field(
        512, ge=16, le=30_000, description="Connections that one sandbox may have open at once to the daemon."
    )
    reach: Literal["auto", "direct", "socket", "host"] = Field(
        "auto",
        description="How containers reach the daemon: as the engine's kind needs it, directly, through a socket in a "
        "folder, or through the host of a virtual machine.",
    )
    ready_seconds: Duration = Field(
        60.0,
        description="How long after a launch an empty network stays ready, so that the next is quick; 0 for none.",
    )


class WorkspaceSettings(_Section):
    """What agents in sandboxes write, until it lands or is thrown away."""

    quota: Size = Field(
        10 * 1024**3,
        description="What one sandbox may write into its workspace; then it is ended, and the work is kept.",
    )
    spare: Size = Field(
        1024**3, description="What stays free on the disk of the workspaces; with less, sandboxes that write are ended."
    )
    keep: Duration = Field(
        30 * 86_400.0,
        description="How long an ended workspace is kept after somebody looked at it; 0 means for ever.",
        json_schema_extra=AT_ONCE,
    )
    room: Size = Field(
        50 * 1024**3,
        description="What all workspaces may take; above it the oldest go that somebody looked at, and no others.",
        json_schema_extra=AT_ONCE,
    )
    pack: Size = Field(1024**3, description="How large the commits of one agent may be that land.")
    auto_yes: list[str] = Field(
        default_factory=list,
        description="Paths that `--land auto` lands although they would run later, such as `scripts/*.sh`. `*` stays "
        "in one folder, `**` does not.",
        json_schema_extra=AT_ONCE,
    )
