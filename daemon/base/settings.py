"""The settings: defaults, then config.toml of the home, then AILERON_* of the environment; one model for all."""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from daemon.base.home import Home
from daemon.base.settings_sections import (
    ApprovalSettings,
    AuditSettings,
    DaemonSettings,
    GatewaySettings,
    LimitSettings,
    NetworkSettings,
    RuleSettings,
    SandboxSettings,
    ServerSettings,
    VaultSettings,
    WorkspaceSettings,
)
from daemon.core.failures import DocumentError
from daemon.core.toml_source import TomlSource

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

BY_NAME = frozenset({"rules", "providers"})
"""Settings that hold one entry for each name a person chose."""


class SettingsError(DocumentError):
    """A setting that is not known or not usable: where it stands, what is wrong, what would be right."""


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
    servers: ServerSettings = Field(default_factory=ServerSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    workspace: WorkspaceSettings = Field(default_factory=WorkspaceSettings)


def load_settings(home: Home, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a home, or the error that names the first thing wrong."""
    return settings_from(read_source(home.config_path), os.environ if environment is None else environment)


def settings_from(source: TomlSource, environment: Mapping[str, str]) -> Settings:
    """Return the settings that a file and an environment make, or the error that names the first thing wrong."""
    variables = {name: value for name, value in environment.items() if name.startswith(_PREFIX)}
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
            file=f"the variable {variable_of(('approvals', 'rules'))}",
            line=None,
            problem="It is not JSON.",
            remedy='Write it like {"ship-update": {"decision": "deny"}}.',
        ) from problem


def parse_source(text: str, *, file: str) -> TomlSource:
    """Read the text of a settings file; raises SettingsError."""
    try:
        return TomlSource.parse(text, file=file)
    except DocumentError as problem:
        raise SettingsError(
            file=problem.file, line=problem.line, problem=problem.problem, remedy=problem.remedy
        ) from problem


def read_source(path: Path) -> TomlSource:
    """Read a settings file, which need not be there; raises SettingsError."""
    try:
        return parse_source(path.read_text(encoding="utf-8"), file=str(path))
    except FileNotFoundError:
        return parse_source("", file=str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(
            file=str(path), line=None, problem=f"It cannot be read: {problem}.", remedy="Check the file."
        ) from problem


def _check_variables(variables: Mapping[str, str]) -> None:
    known = {*OTHER_VARIABLES, *(variable_of(path) for path in setting_paths())}
    for name in sorted(variables):
        if not name.startswith(_PREFIX) or name in known:
            continue
        if any(name.startswith(f"{variable_of(path)}{_NESTED}") for path in setting_paths() if path[-1] in BY_NAME):
            continue
        near = difflib.get_close_matches(name, known, 1, 0.5)
        remedy = f"Did you mean {near[0]}?" if near else "docs/configuration.md lists them all."
        raise SettingsError(file="the environment", line=None, problem=f"{name} is no setting.", remedy=remedy)


def setting_paths() -> Iterator[tuple[str, str]]:
    """Yield the path of every setting."""
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name in model.model_fields:
                yield section, name


def variable_of(path: tuple[str, ...]) -> str:
    """Return the variable of the environment that a setting may come from."""
    return _PREFIX + _NESTED.join(path).upper()


def _explain(problem: ValidationError, source: TomlSource, variables: Mapping[str, str]) -> SettingsError:
    first = problem.errors()[0]
    path = tuple(part for part in first["loc"] if part != "[key]")
    place = tuple(str(part) for part in path)
    name = ".".join(place)
    # A rule comes from a variable of its own, or from the one that holds all of them.
    variable = next((v for n in range(len(place), 1, -1) if (v := variable_of(place[:n])) in variables), None)
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
