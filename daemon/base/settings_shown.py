"""Settings as people read them: each with its value, where that comes from, and when a change takes effect."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.base.redaction import REDACTED, redact_text
from daemon.base.settings import BY_NAME, Settings, setting_paths, variable_of
from daemon.base.settings_sections import is_duration, is_size
from daemon.core.quantities import format_duration, format_size
from daemon.core.toml_source import TomlSource

Origin = Literal["default", "file", "environment", "file and environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting."""

    name: str
    value: Any
    """As JSON carries it. What headers hold may be a key, and is left out."""
    words: str
    """As it is written in a file."""
    origin: Origin
    variable: str
    at_once: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` has it."""
        return {
            "name": self.name,
            "value": self.value,
            "origin": self.origin,
            "variable": self.variable,
            "takes_effect": "at once" if self.at_once else "at the next start",
        }


def shown(settings: Settings, source: TomlSource, environment: Mapping[str, str]) -> list[Shown]:
    """Return every setting in the order of the model, from what the settings were made of."""
    found = []
    for path in setting_paths():
        section, name = path
        field = field_of(path)
        value = getattr(getattr(settings, section), name)
        found.append(
            Shown(
                name=".".join(path),
                value=as_value(value),
                words=in_words(field, value),
                origin=_origin(path, source, environment),
                variable=variable_of(path),
                at_once=takes_effect_at_once(field),
            )
        )
    return found


def field_of(path: tuple[str, ...]) -> FieldInfo:
    """Return what the model says of a setting."""
    model = Settings.model_fields[path[0]].annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{path[0]} is no section")
    return model.model_fields[path[1]]


def takes_effect_at_once(field: FieldInfo) -> bool:
    """Say whether a running daemon takes a setting over."""
    return isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("at_once") is True


def as_value(value: Any) -> Any:
    """Return a value of the model as JSON carries it, without what headers hold and what looks like a credential."""
    if isinstance(value, BaseModel):
        return as_value(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {name: _without_secrets(name, as_value(each)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_value(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else redact_text(str(value))


def in_words(field: FieldInfo, value: Any) -> str:
    """Return a value as it would be written in a file."""
    if value is None:
        return "none"
    if is_duration(field):
        return format_duration(value)
    if is_size(field):
        return format_size(value)
    plain = as_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _without_secrets(name: str, value: Any) -> Any:
    return dict.fromkeys(value, REDACTED) if name == "headers" and isinstance(value, dict) else value


def _origin(path: tuple[str, ...], source: TomlSource, environment: Mapping[str, str]) -> Origin:
    section = source.data.get(path[0])
    in_file = isinstance(section, dict) and path[1] in section
    name = variable_of(path)
    told = name in environment or (path[1] in BY_NAME and any(each.startswith(f"{name}__") for each in environment))
    if told:
        return "file and environment" if in_file and path[1] in BY_NAME else "environment"
    return "file" if in_file else "default"
