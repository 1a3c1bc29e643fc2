"""Changes one setting in the text of a settings file, and leaves every comment and the order as they are."""

import contextlib
import copy
import tomllib
from collections.abc import Mapping, MutableMapping
from typing import Any, get_origin

import tomlkit
from tomlkit.exceptions import TOMLKitError

from daemon.base.settings import SettingsError, parse_source, setting_paths, settings_from
from daemon.base.settings_shown import field_of

_NOWHERE: Mapping[str, str] = {}


def with_setting(text: str, name: str, wanted: str, *, file: str) -> str:
    """Return a text in which a setting has the value that a person typed; raises SettingsError.

    The value is taken as TOML where that fits the setting, as a list where commas part it, and else as it was typed.
    What comes of it is checked as a whole, with no environment.
    """
    parts = _parts(name, file)
    first, *others = _readings(wanted, parts)
    try:
        return _changed(text, parts, first, file=file)
    except SettingsError:
        for value in others:
            with contextlib.suppress(SettingsError):
                return _changed(text, parts, value, file=file)
        raise  # what is wrong with the first reading is what the person wants to know


def without_setting(text: str, name: str, *, file: str) -> str:
    """Return a text that does not say a setting any more; raises SettingsError also for one that it never said."""
    parts = _parts(name, file)
    document, container = tomlkit.parse(text), None
    below: Any = document
    for part in parts:
        if not isinstance(below, MutableMapping) or part not in below:
            raise _refused(file, f"{name} is not set in it.", "See what is: aileron config show")
        container, below = below, below[part]
    if container is None:
        raise _refused(file, "There is no setting without a name.", "See them: aileron config show")
    del container[parts[-1]]
    changed = tomlkit.dumps(document)
    expected = copy.deepcopy(parse_source(text, file=file).data)
    _parent(expected, parts).pop(parts[-1])
    return _checked(changed, expected, file)


def _changed(text: str, parts: list[str], value: Any, *, file: str) -> str:
    expected = copy.deepcopy(parse_source(text, file=file).data)
    try:
        document: Any = tomlkit.parse(text)
        container = document
        for part in parts[:-1]:
            if part not in container:
                # A header of its own only where something stands right below it.
                container[part] = tomlkit.table(is_super_table=isinstance(value, dict) or part != parts[-2])
            container = container[part]
        container[parts[-1]] = value
        changed = tomlkit.dumps(document)
        _parent(expected, parts)[parts[-1]] = value
    except (TOMLKitError, TypeError, KeyError, ValueError) as problem:
        remedy = "Edit the file yourself: aileron config edit"
        raise _refused(file, f"{'.'.join(parts)} cannot be put into it.", remedy) from problem
    return _checked(changed, expected, file)


def _checked(changed: str, expected: Mapping[str, Any], file: str) -> str:
    """Return a text that says what was meant and nothing else, and that a daemon would start with."""
    source = parse_source(changed, file=file)
    if _told(source.data) != _told(tomllib.loads(tomlkit.dumps(expected))):
        raise _refused(file, "It is written in a way that this cannot change.", "Edit it yourself: aileron config edit")
    settings_from(source, _NOWHERE)
    return changed


def _told(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tables say: an empty one says the same as none, and goes with the last line in it."""
    found = {key: _told(value) if isinstance(value, dict) else value for key, value in data.items()}
    return {key: value for key, value in found.items() if value != {}}


def _parent(data: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    for part in parts[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise TypeError(f"{part} is no table")
    return data


def _readings(wanted: str, parts: list[str]) -> list[Any]:
    readings: list[Any] = []
    with contextlib.suppress(tomllib.TOMLDecodeError, RecursionError):
        readings.append(tomllib.loads(f"value = {wanted}")["value"])
    if tuple(parts) in list(setting_paths()) and get_origin(field_of((parts[0], parts[1])).annotation) is list:
        return [*readings, [part.strip() for part in wanted.split(",") if part.strip()]]
    return [*readings, wanted]


def _parts(name: str, file: str) -> list[str]:
    parts = name.split(".")
    if not all(parts):
        raise _refused(file, f"{name!r} is no name of a setting.", "Names are written like vault.auto_lock.")
    return parts


def _refused(file: str, problem: str, remedy: str) -> SettingsError:
    return SettingsError(file=file, line=None, problem=problem, remedy=remedy)
