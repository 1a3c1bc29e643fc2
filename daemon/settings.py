"""The settings: defaults, then config.toml of the home, then AILERON_* of the environment; one model for all."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from daemon.core.authority import AuthorityError, HostPort
from daemon.core.failures import DocumentError
from daemon.core.providers import Provider, Style
from daemon.core.quantities import QuantityError, parse_duration, parse_size
from daemon.core.toml_source import TomlSource
from daemon.lifecycle.home import Home

OTHER_VARIABLES = frozenset(
    {
        "AILERON_HOME",
        "AILERON_VAULT_PASSPHRASE",
        "AILERON_DEBUG",
        "AILERON_FAULT_FILE",
        "AILERON_FAULT_LOG",
        "AILERON_URL",
        "AILERON_TOKEN",
        "AILERON_SESSION_ID",
        "AILERON_CA_FILE",
        "AILERON_NO_SETUP",
        "AILERON_DEMO_MODEL",
    }
)
"""Variables of ours that are not settings."""

_PREFIX = "AILERON_"
_NESTED = "__"
_ACTION_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


_BY_NAME = frozenset({"rules", "providers"})
"""Settings that hold one entry for each name a person chose."""


class SettingsError(DocumentError):
    """A setting that is not known or not usable: where it stands, what is wrong, what would be right."""


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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DaemonSettings(_Section):
    """The daemon as a process."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much the daemon logs.")
    control_port: int = Field(0, ge=0, le=65535, description="Port of the control API; 0 lets the system pick one.")
    agent_port: int = Field(0, ge=0, le=65535, description="Port of the agent API; 0 lets the system pick one.")
    drain_seconds: Duration = Field(20.0, description="How long a stop waits for runs under way.")


class NetworkSettings(_Section):
    """What connectors may reach beyond public addresses."""

    allow_private: Annotated[list[str], NoDecode, BeforeValidator(_authorities)] = Field(
        default_factory=list,
        description=(
            "Private or loopback `host:port`s that a connector whose manifest names them may reach, also without TLS."
        ),
    )
    extra_ca_file: Annotated[Path | None, AfterValidator(_readable_file)] = Field(
        None, description="A PEM file of authorities to trust beside the usual ones, with its full path."
    )


class VaultSettings(_Section):
    """The vault."""

    auto_lock: Duration = Field(43_200.0, description="Idle time after which the vault locks itself; 0 means never.")


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

    @model_validator(mode="after")
    def _allow_says_why(self) -> "RuleSettings":
        if self.decision == "allow" and not self.reason.strip():
            raise ValueError("an allow needs a reason; it goes into the audit log with every run")
        return self


class ApprovalSettings(_Section):
    """Unattended rules."""

    rules: dict[Annotated[str, AfterValidator(_action_name)], RuleSettings] = Field(
        default_factory=dict, description="A rule for each action, by its name; in the variable, as JSON."
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
    memory: Size = Field(4 * 1024**3, description="How much memory a sandbox may use.")
    cpus: float = Field(2.0, gt=0, description="How many processors a sandbox may use.")
    listener_seconds: Duration = Field(
        30.0, description="How long an agent may run before somebody reads what it says."
    )
    pids: int = Field(512, ge=16, description="How many processes and threads a sandbox may have.")
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


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTED,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    vault: VaultSettings = Field(default_factory=VaultSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    approvals: ApprovalSettings = Field(default_factory=ApprovalSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)


def load_settings(home: Home, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a home, or the error that names the first thing wrong."""
    given = os.environ if environment is None else environment
    variables = {name: value for name, value in given.items() if name.startswith(_PREFIX)}
    source = _read(home.config_path)
    _check_variables(variables)

    class _Variables(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in variables.items()}

    class _FromHome(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Variables(settings_cls), InitSettingsSource(settings_cls, source.data)

    try:
        return _FromHome()
    except ValidationError as problem:
        raise _explain(problem, source, variables) from problem
    except ValueError as problem:
        # The library does not say which variable is not the JSON it should be; only a list of rules can be that.
        raise SettingsError(
            file=f"the variable {_variable(('approvals', 'rules'))}",
            line=None,
            problem="It is not JSON.",
            remedy='Write it like {"ship-update": {"decision": "deny"}}.',
        ) from problem


def _read(path: Path) -> TomlSource:
    try:
        return TomlSource.parse(path.read_text(encoding="utf-8"), file=str(path))
    except FileNotFoundError:
        return TomlSource.parse("", file=str(path))
    except DocumentError as problem:
        raise SettingsError(
            file=problem.file, line=problem.line, problem=problem.problem, remedy=problem.remedy
        ) from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(
            file=str(path), line=None, problem=f"It cannot be read: {problem}.", remedy="Check the file."
        ) from problem


def _check_variables(variables: Mapping[str, str]) -> None:
    known = {*OTHER_VARIABLES, *(_variable(path) for path in setting_paths())}
    for name in sorted(variables):
        if not name.startswith(_PREFIX) or name in known:
            continue
        if any(name.startswith(f"{_variable(path)}{_NESTED}") for path in setting_paths() if path[-1] in _BY_NAME):
            continue
        near = difflib.get_close_matches(name, known, 1, 0.5)
        remedy = f"Did you mean {near[0]}?" if near else "docs/configuration.md lists them all."
        raise SettingsError(file="the environment", line=None, problem=f"{name} is no setting.", remedy=remedy)


def setting_paths() -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting."""
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name in model.model_fields:
                yield section, name


def _variable(path: tuple[str, ...]) -> str:
    return _PREFIX + _NESTED.join(path).upper()


def _explain(problem: ValidationError, source: TomlSource, variables: Mapping[str, str]) -> SettingsError:
    first = problem.errors()[0]
    path = tuple(part for part in first["loc"] if part != "[key]")
    place = tuple(str(part) for part in path)
    name = ".".join(place)
    # A rule comes from a variable of its own, or from the one that holds all of them.
    variable = next((v for n in range(len(place), 1, -1) if (v := _variable(place[:n])) in variables), None)
    file = source.file if variable is None else f"the variable {variable}"
    line = source.line_of(path) if variable is None else None
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, _names_beside(place), 1, 0.4)
        remedy = f"Did you mean {near[0]}?" if near else "docs/configuration.md lists them all."
        return SettingsError(file=file, line=line, problem=f"{name} is no setting.", remedy=remedy)
    message = first["msg"].removeprefix("Value error, ").removesuffix(".")
    return SettingsError(
        file=file, line=line, problem=f"{name} does not fit: {message}.", remedy="docs/configuration.md says what does."
    )


def _names_beside(place: tuple[str, ...]) -> list[str]:
    if place[:2] == ("approvals", "rules") and len(place) == 4:
        return [".".join((*place[:3], name)) for name in RuleSettings.model_fields]
    return [*Settings.model_fields, *(".".join(path) for path in setting_paths())]
